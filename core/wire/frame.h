/* frame: bytes ready for a socket, built once, immutable and shared by all receivers.
 * Does not know: who receives it, or whether its bytes are a WebSocket frame or HTTP.
 * Thread: made by one, then any (the count is atomic, the bytes never change).
 * Owner: every holder of a reference; the last one to drop it frees. */
#ifndef CHARLUA_WIRE_FRAME_H
#define CHARLUA_WIRE_FRAME_H

#include "base/bytes.h"
#include "base/ref.h"
#include "wire/opcode.h"

/* Visible only for the inline functions below. */
struct frame {
    struct ref ref;
    _Atomic(struct frame *)
        twin; /* owned: the same message compressed; NULL: not made yet */
    size_t len;
    uint32_t messages; /* that the bytes hold: 1, or more after frame_join */
    uint8_t at[];
};

/* A frame of `len` bytes for the caller to fill through *at before anyone else gets a
 * reference. Returns one reference, or NULL when memory is out (*at unwritten). */
struct frame *frame_alloc(size_t len, uint8_t **at);

/* A frame whose bytes are a copy of `bytes`, as they are. NULL when memory is out. */
struct frame *frame_new_raw(struct bytes bytes);

/* One unmasked WebSocket frame with FIN set and a copy of `payload` (RFC 6455 5.2). A
 * control frame's payload is at most 125 bytes. NULL when memory is out. */
struct frame *frame_new(enum ws_opcode op, struct bytes payload);

/* A Close frame (RFC 6455 5.5.1). With 1005 (no status) the payload is empty; otherwise
 * `code` and `reason`, UTF-8, which is cut to 123 bytes between two characters. 1006 is
 * never sent (7.4.1). NULL when memory is out. */
struct frame *frame_new_close(uint16_t code, struct bytes reason);

/* The bytes of `count` frames one after the other, as one; the parts are borrowed. NULL
 * when memory is out. */
struct frame *frame_join(struct frame *const *parts, size_t count);

/* Drops one reference; frees with the last. NULL is allowed. */
void frame_unref(struct frame *f);

/* Takes one more reference and returns `f`. */
static inline struct frame *frame_ref(struct frame *f)
{
    ref_take(&f->ref);
    return f;
}

/* The compressed twin, or NULL. Borrowed from `f`. */
static inline struct frame *frame_twin(const struct frame *f)
{
    return atomic_load_explicit(&f->twin, memory_order_acquire);
}

/* Gives `f` its twin and the caller's reference to it; when another thread was quicker,
 * that one's stays. Returns the one that stays. */
struct frame *frame_set_twin(struct frame *f, struct frame *twin);

/* All its bytes; valid while a reference is held. */
static inline struct bytes frame_bytes(const struct frame *f)
{
    return (struct bytes){f->at, f->len};
}

#endif
