/* mail: every message that actors post to each other, one union; bytes of variable length
 * follow it. Does not know: who sends or receives it; mailbox.h moves it. Thread: any,
 * one at a time; only ids, frame references and bytes travel, never a pointer to an
 * actor's state. Owner: the batch or mailbox that holds it; a frame reference moves with
 * its mail. */
#ifndef CHARLUA_BASE_MAIL_H
#define CHARLUA_BASE_MAIL_H

#include "base/addr.h"
#include "base/bytes.h"

struct outframe;

enum mail_kind {
    /* up: shard to host */
    MAIL_OPEN,     /* id, open; bytes: the request's head, the subject of the client's
                    * certificate, the subprotocol */
    MAIL_MESSAGE,  /* id, binary; bytes: the message */
    MAIL_FAULT,    /* id, code; bytes: the reason. The client's connection fails, it says
                    * nothing more: answered with a MAIL_CLOSE of the same, behind what
                    * its messages are answered */
    MAIL_CLOSED,   /* id, code; bytes: the reason. The last mail of this id */
    MAIL_REQUEST,  /* id, open; bytes: the request's head, the subject, the body. Answered
                    * with one MAIL_RESPONSE */
    MAIL_GIVEN_UP, /* id: nobody waits for that response any more */
    MAIL_DRAINED,  /* this shard has no connection left and takes no more */
    /* down: host to shard */
    MAIL_SEND,      /* id, frame */
    MAIL_BROADCAST, /* room, id (who gets none, or 0), frame; room 0 is everybody */
    MAIL_JOIN,      /* id, room */
    MAIL_LEAVE,     /* id, room */
    MAIL_CLOSE,     /* id, code; bytes: the reason */
    MAIL_ADMIT,     /* id: the rules have let it in, it hears what goes to everybody */
    MAIL_PAUSE,     /* id: its messages pile up, do not read its socket */
    MAIL_PROTOCOLS, /* bytes: the subprotocols that the rules speak, each behind a comma
                     */
    MAIL_RESUME,    /* id: read it again */
    MAIL_RESPONSE,  /* id, status; bytes: its type ("": text), further field lines, both
                     * with a NUL behind them, the body */
    MAIL_ROUTES,    /* bytes: what the rules answer, as wire/routes.h has it */
    /* to a shard, from the server */
    MAIL_ACCEPT, /* fd, addr: a new connection, owned by this mail */
    MAIL_DRAIN, /* close everyone with 1001, then say MAIL_DRAINED; to the host: the same,
                 * after its on_stop */
    MAIL_ABORT, /* the same, without waiting for anyone's Close */
    /* to the host, from the server or the embedding program */
    MAIL_RELOAD, /* load the script again */
    MAIL_POST,   /* name_len; bytes: a room's name, then JSON text for its members */
    /* host to fetch, and back */
    MAIL_FETCH,        /* id, fetch; bytes: method, URL and fields ("name: value"), a NUL
                        * behind each, then the body */
    MAIL_FETCH_CANCEL, /* id: nobody waits for the answer any more */
    MAIL_FETCHED, /* id, fetched; bytes: fields, a line end behind each, then the body;
                   * or, if status is 0, why there is no answer */
};

struct mail {
    enum mail_kind kind;
    uint32_t len; /* bytes that follow, before padding */
    uint64_t id;
    union {
        struct {
            struct addr addr;
            bool secure;
            uint32_t head_len, subject_len;
        } open;
        struct {
            struct addr addr;
            int fd;
            bool tls;
        } accept;
        struct {
            struct outframe *frame;
            uint64_t room;
        };
        struct {
            uint32_t head_len; /* of the bytes: what comes before the body */
            uint32_t time_ms;
            bool has_body; /* perhaps an empty one */
        } fetch;
        struct {
            uint32_t head_len;
            uint16_t status;
        } fetched;
        bool binary;
        uint16_t code;
        uint16_t status;
        uint32_t name_len;
    };
};

/* The bytes that follow `m`; valid as long as what holds it is unchanged. */
static inline struct bytes mail_bytes(const struct mail *m)
{
    return (struct bytes){(const uint8_t *)(m + 1), m->len};
}

#endif
