/* peer: a conn over a stream in memory, with an owner that writes down what it is told.
 * Does not know: what should happen.
 * Thread: one.
 * Owner: the test, on its stack; peer_close ends it. */
#ifndef CHARLUA_UNIT_PEER_H
#define CHARLUA_UNIT_PEER_H

#include "net/conn.h"
#include "stream_memory.h"

enum {
    PEER_TOLD_MAX = 2048,
    PEER_HEAD_MAX = 1024,
    PEER_QUEUE_MAX = 1000,
    PEER_BODY_MAX = 16
};

#define PEER_ROUTES "POST /hook\nGET /hook\nPUT /put\n"

struct peer {
    struct stream_memory stream;
    struct conn_env env;
    struct quota sum;
    struct stats stats;
    struct conn memory, *conn; /* which is &memory */
    bool echo;                 /* messages are sent back at once */
    bool holds_faults;         /* else a fault is answered with its Close */
    int on_open, on_message, on_request, on_fault; /* what the owner answers */
    char told[PEER_TOLD_MAX]; /* "O:request line " at the upgrade, then "T:text " or
                                 "B:bytes "; "R:body " of a request for the rules */
    size_t told_len, seen;    /* bytes of the stream's output that peer_took has given */
    size_t read_size;         /* of the scratch buffer */
};

/* A conn before its first byte: heads of at most PEER_HEAD_MAX bytes and 16 fields,
 * bodies of PEER_BODY_MAX bytes for PEER_ROUTES, messages of 200 bytes and 4 fragments,
 * PEER_QUEUE_MAX bytes in the queue. Returns 0, or -1 when memory is out: then there is
 * nothing to close. */
int peer_init(struct peer *p);

/* The same for tests in which memory is never out. */
void peer_open(struct peer *p);

/* Other peers hold all that all may hold together. */
void peer_spend_sum(struct peer *p);

/* Frees the conn, and holds it to having freed its stream once and written nothing after
 * FIN. */
void peer_close(struct peer *p);

/* The peer sends `bytes`, borrowed until they have been read; then a shard's turns follow
 * until nothing moves any more. */
void peer_say(struct peer *p, struct bytes bytes);

/* The turns alone. */
void peer_run(struct peer *p);

/* One read that says END or ERROR. */
void peer_hang_up(struct peer *p, ssize_t how);

/* An upgrade request and the turns it takes; its answer is taken. */
void peer_upgrade(struct peer *p);

/* A frame from the client, and the turns. */
void peer_say_frame(struct peer *p, unsigned first, struct bytes payload);

/* A message to the client. */
enum send_result peer_send(struct peer *p, struct bytes text);

/* What was written since the last call. */
struct bytes peer_took(struct peer *p);

/* The conn is over with this code and reason (after an upgrade). */
void assert_over(const struct peer *p, uint16_t code, const char *reason);
void assert_not_over(const struct peer *p);

/* "GET /chat?x=1" to the blank line, and the answer of 156 bytes. */
extern const struct bytes peer_request, peer_response;

#endif
