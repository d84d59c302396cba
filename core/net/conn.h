/* conn: one peer from accept to close: requests with plain answers or scripted
 * responses, then an upgrade and WebSocket messages. Does not know: loops, watchers,
 * rooms, Lua; the shard asks what it waits for. Thread: its shard's. Owner: the shard,
 * which embeds it. Nothing in here ends a conn: it says conn_is_dead and the shard reaps
 * it. */
#ifndef CHARLUA_NET_CONN_H
#define CHARLUA_NET_CONN_H

#include "base/buf.h"
#include "base/cidr.h"
#include "base/log.h"
#include "base/quota.h"
#include "base/rate.h"
#include "base/stats.h"
#include "net/outq.h"
#include "net/stream.h"
#include "wire/answer.h"
#include "wire/deflate.h"
#include "wire/outframe.h"
#include "wire/http.h"
#include "wire/messages.h"
#include "wire/takeover.h"

struct conn;
struct page;

/* What all conns of a shard share; it outlives them. */
struct conn_env {
    struct http_limits http;
    struct messages_limits messages;
    size_t queue_max;        /* bytes that may wait for one peer */
    bool drop_when_slow;     /* a peer over it loses the frame; else: closed with 1013 */
    struct quota_share held; /* of what all peers of all shards may make us keep */
    float messages_a_second; /* of one peer, pings among them; 0: any number */
    float bytes_a_second;    /* of its messages */
    uint64_t now_ms;         /* of a steady clock; the shard keeps it */
    char date[ANSWER_DATE_SIZE]; /* and what the wall clock says, for answers */
    char *const *origins;        /* allowed beside our own host */
    size_t origin_count;
    char *const *hosts; /* names that Host may say; none: any */
    size_t host_count;
    int64_t hsts;               /* seconds for which browsers are to come over TLS */
    const struct cidr *trusted; /* proxies that are believed */
    size_t trusted_count;
    /* The peer is a proxy for `client`. False: that one may not connect. */
    bool (*on_client)(struct conn *, const struct addr *client);
    const struct page *page;
    struct stats *stats;
    const struct log *log;
    struct deflate *deflate; /* NULL: permessage-deflate is not negotiated */
    struct bytes protocols;  /* subprotocols that are spoken, each behind a comma */
    struct outframe *ping;   /* the one that every peer gets */
    struct bytes routes;     /* what the rules answer, as wire/routes.h has it */
    size_t body_max;         /* bytes of the body of a request for the rules */
    bool is_draining;        /* 503 to whatever is asked */
    /* The peer was upgraded; `head` is its request, `protocol` the chosen subprotocol or
     * empty. Returns 0, or -1 when it can't be taken. */
    int (*on_open)(struct conn *, struct bytes head, struct bytes protocol);
    /* A whole message. Returns 0, or -1 when it can't be taken: the conn closes with
     * 1011. */
    int (*on_message)(struct conn *, struct bytes data, bool binary);
    /* The connection fails: conn_close with this code and reason is awaited, behind the
     * answers to the messages that were whole. Returns 0, or -1 when nobody will call
     * it. */
    int (*on_fault)(struct conn *, uint16_t code, struct bytes reason);
    /* A whole request for the rules: conn_respond is awaited. Returns 0, or -1 when it
     * can't be taken. */
    int (*on_request)(struct conn *, struct bytes head, struct bytes body);
};

/* The two phases of a peer, one memory: conn_enter_ws goes from the first to the second.
 */
enum conn_keeps { KEEPS_NOTHING, KEEPS_REQUEST, KEEPS_FILE };

struct conn_http {
    struct buf
        in; /* the part of a head that has come, and what was pipelined behind it */
    union {
        struct request *request; /* KEEPS_REQUEST, in state BODY */
        struct file *file;       /* KEEPS_FILE: the rest of what leaves, in ANSWERING */
    };
    char *origin;      /* of the page that has asked the rules; NULL: none */
    uint32_t searched; /* bytes of `in` known not to hold the head's end */
    uint8_t keeps;     /* enum conn_keeps: which of the union's there is */
};

struct conn_ws {
    struct buf reason;           /* of the first Close frame */
    struct messages *unfinished; /* NULL: no frame or message has come in part */
    struct takeover *takeover;   /* NULL: its compressed messages stand alone */
};

/* Here only so that its owner embeds it, one allocation for an idle peer: the fields
 * belong to conn*.c. */
struct conn {
    struct conn_env *env;
    struct rate messages, bytes; /* what it sends us */
    struct stream *stream;
    struct outq out;
    size_t counted; /* bytes of env->held that it has taken */
    union {
        struct conn_http http; /* until `upgraded` */
        struct conn_ws ws;     /* from then on */
    };
    struct addr addr;
    uint16_t code; /* of the first Close frame; 0: none yet */
    uint8_t state; /* enum conn_state */
    uint8_t wait;  /* enum conn_wait */
    uint8_t full;  /* enum limit: why the last message did not fit */
    uint8_t
        deflate_bits;   /* the peer's window for permessage-deflate; 0: not negotiated */
    bool restarted : 1; /* the wait began since it was asked for */
    bool upgraded : 1;  /* which phase the union is in */
    bool over : 1;      /* no more messages, either way */
    bool paused : 1;
    bool keep_alive : 1;
    bool head_only : 1; /* the request is a HEAD: its answer has no body */
    bool greeted : 1;   /* (the first of) the 101 has left */
    bool begun : 1;     /* what a proxy may say before the first request has been read */
    bool unwrapped : 1; /* the same in front of the encryption */
    bool proxied : 1;   /* addr is the client's, not the peer's */
    bool has_twins : 1; /* a frame that waits here may have been made for others, too */
    bool secure : 1;    /* the client's connection is encrypted, to us or to a proxy */
    bool warned : 1;    /* that it sends too fast */
    bool settled : 1;   /* that it keeps no compression context */
    bool silent : 1;    /* nothing has come since our ping */
    bool unpinged : 1;  /* our ping did not fit, or waited behind what the socket had not
                           taken: that bytes leave is a sign of life, too */
};

/* Takes `stream` over. `env` is the shard's. */
void conn_init(struct conn *c, struct conn_env *env, struct stream *stream,
               const struct addr *from);
void conn_deinit(struct conn *c);

/* Its stream, for questions only. */
const struct stream *conn_stream(const struct conn *c);

/* Whether the client's connection is encrypted, to us or to a trusted proxy. */
bool conn_is_secure(const struct conn *c);

/* Where the peer comes from. */
const struct addr *conn_addr(const struct conn *c);

/* Reads once into `scratch` and handles what came. Returns true when more waits to be
 * read, though poll may not say so. */
bool conn_read(struct conn *c, uint8_t *scratch, size_t size);

/* Writes what waits, as far as the socket takes it. */
void conn_flush(struct conn *c);

/* What waits to be written, if it is one piece for a plain socket; else {NULL, 0}.
 * Whoever writes it tells conn_wrote how many bytes have left (or STREAM_AGAIN,
 * STREAM_ERROR), with nothing in between. */
struct bytes conn_piece(const struct conn *c);
void conn_wrote(struct conn *c, ssize_t n);

enum send_result { SEND_OK, SEND_FULL, SEND_GONE };

/* Queues `f` for this peer, taking its own reference. SEND_FULL when its queue or the sum
 * of all is at its cap: nothing was queued and the caller decides (drop or close).
 * SEND_GONE when it is closing. Never blocks; writes to the socket only while the sum is
 * spent and nothing waits for this peer. */
enum send_result conn_send(struct conn *c, struct outframe *f);

/* The scripted response to the request that waits for one; nothing happens if none does.
 * Whether it is the last of its connection and has no body for HEAD is the conn's
 * matter. */
void conn_respond(struct conn *c, const struct answer *a);
bool conn_awaits_response(const struct conn *c);

/* Whether a plain answer or a scripted response is leaving. */
bool conn_is_answering(const struct conn *c);

/* The server stops: a request whose body still comes gets 503, and with `now` one that
 * awaits its scripted response, too. */
void conn_give_up_request(struct conn *c, bool now);

/* Begins the closing handshake (RFC 6455 7.1.2) after what is queued; of a conn that
 * fails, ends it so. */
void conn_close(struct conn *c, uint16_t code, struct bytes reason);

/* Call after a SEND_FULL. Counts `lost` as dropped. Unless env->drop_when_slow is set,
 * also discards the frames that have not begun to leave, and closes the peer with 1013.
 */
void conn_too_slow(struct conn *c, const struct outframe *lost);

/* Whether deflate_join's twins are for this peer. */
bool conn_takes_deflated(const struct conn *c);

/* The connection is of no more use: nothing is sent, the shard may reap it. */
void conn_abort(struct conn *c);

/* Stops and resumes reading; what was read already is still handled. */
void conn_pause(struct conn *c, bool paused);

bool conn_wants_read(const struct conn *c);
bool conn_wants_write(const struct conn *c);
bool conn_wants_read_retry(const struct conn *c); /* once the socket is writable */
bool conn_is_dead(const struct conn *c);
bool conn_is_open(const struct conn *c); /* upgraded, and neither side has said Close */

/* After an upgrade: true once the WebSocket connection is over, with the code and reason
 * that on_close gets: the first Close frame's, 1006 if there was none. */
bool conn_is_over(const struct conn *c, uint16_t *code, struct bytes *reason);

/* What it waits for, each with a time limit of its own. */
enum conn_wait {
    CONN_WAIT_HEAD,     /* a request's head, from its first chance to come; its body */
    CONN_WAIT_NEXT,     /* the first byte of the next request (keep-alive) */
    CONN_WAIT_RESPONSE, /* the rules make their scripted response */
    CONN_WAIT_ANSWERED, /* the peer takes a plain answer or a scripted response */
    CONN_WAIT_PING,     /* time for the next ping */
    CONN_WAIT_PONG,     /* any sign of life after it */
    CONN_WAIT_CLOSE,    /* the peer's part of the closing; before it, the rules' */
    CONN_WAIT_KINDS
};

/* The present wait; *restarted is set when it began since the last call. */
enum conn_wait conn_wait(struct conn *c, bool *restarted);

/* The time limit of the present wait has passed. What has come is judged first: call it
 * only once a conn_read has returned nothing, or the conn does not want to be read. */
void conn_timeout(struct conn *c);

#endif
