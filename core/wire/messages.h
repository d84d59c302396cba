/* messages: a client's frames to messages, over any split of the bytes (RFC 6455 5, 6.2).
 * Does not know: the socket, the handshakes, or what is answered; conn sends.
 * Thread: the one that owns the connection.
 * Owner: embedded in its connection; owns heap memory only while a message or a control
 * frame has arrived in part. */
#ifndef CHARLUA_WIRE_MESSAGES_H
#define CHARLUA_WIRE_MESSAGES_H

#include "base/buf.h"
#include "wire/header.h"

struct messages_limits {
    size_t message;     /* bytes in one message */
    uint32_t fragments; /* frames in one message; one is always allowed */
};

enum messages_event {
    MESSAGES_MORE,    /* the input is used up */
    MESSAGES_MESSAGE, /* data, binary */
    MESSAGES_PING,    /* data: to be echoed */
    MESSAGES_PONG,    /* data */
    MESSAGES_CLOSE,   /* code (1005 when there was none), data: the reason */
    MESSAGES_FAIL,    /* code: to close with, why: a static text */
};

struct messages_in {
    uint8_t *at;
    size_t len;
};

struct messages_out {
    struct bytes data;
    bool binary;
    bool compressed; /* a message with RSV1: data is to be inflated, and text then to be
                        checked */
    uint16_t code;
    const char *why;
};

/* Nothing in here is for callers. */
struct messages {
    struct buf message;          /* payload of the unfinished message */
    struct buf control;          /* payload of the unfinished control frame */
    uint64_t left;               /* payload bytes of this frame yet to come */
    uint32_t frames;             /* of the unfinished message */
    uint8_t key[4];              /* this frame's mask */
    uint8_t head[WS_HEADER_MAX]; /* an unfinished frame header */
    uint8_t head_len;
    uint8_t state;    /* what comes next: enum reading in messages.c */
    uint8_t lent;     /* the buffer handed out by the last call */
    uint8_t frame;    /* this frame's opcode */
    uint8_t kind;     /* the unfinished message's opcode, or WS_CONTINUATION */
    uint8_t utf8;     /* of a text message so far */
    uint8_t mask_pos; /* payload bytes of this frame seen, mod 4 */
    bool fin;         /* this frame ends its message */
    bool deflate;     /* RSV1 may mark a compressed message (RFC 7692 6) */
    bool compressed;  /* the unfinished message is one */
};

/* Before the first frame; `deflate` when permessage-deflate was negotiated. Allocates
 * nothing. */
void messages_init(struct messages *s, bool deflate);

/* Nothing has arrived in part: it is as after messages_init, and need not be kept. */
bool messages_is_idle(const struct messages *s);

/* The memory that it takes. */
size_t messages_size(const struct messages *s);

/* Frees what it holds; data it handed out is gone. */
void messages_deinit(struct messages *s);

/* Decodes `in` up to the next event and unmasks it in place; *in advances past what was
 * used. Call again until MESSAGES_MORE, then with the next bytes that arrive.
 *
 * A message or control frame that lies whole in `in` is handed out as a slice of it,
 * without a copy; otherwise what has arrived (never what was announced) is kept in
 * memory. Either way out->data is valid until the next call, as long as `in`'s memory is.
 * `out` is written only as its event says.
 *
 * MESSAGES_FAIL's codes: 1002 for RSV bits, no mask (RFC 6455 5.1), a reserved opcode, a
 * control frame that is fragmented or over 125 bytes (5.5), a continuation of nothing or
 * a new message within another (5.4), a length not in its shortest form, a bad Close
 * (7.4); 1007 for text at its first byte that is not UTF-8 (8.1), frame ended or not;
 * 1008 for more than limits->fragments frames; 1009 for more than limits->message bytes,
 * announced or not yet arrived; 1011 when memory is out.
 *
 * After MESSAGES_CLOSE or MESSAGES_FAIL every call swallows its input: MESSAGES_MORE. */
enum messages_event messages_next(struct messages *s,
                                  const struct messages_limits *limits,
                                  struct messages_in *in, struct messages_out *out);

#endif
