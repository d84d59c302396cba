/* outframe: bytes ready for a socket, built once, immutable and shared by all receivers.
 * Does not know: who receives it, or whether its bytes are a WebSocket frame or HTTP.
 * Thread: made by one, then any (the count is atomic, the bytes never change).
 * Owner: every holder of a reference; the last one to drop it frees. */
#ifndef CHARLUA_WIRE_OUTFRAME_H
#define CHARLUA_WIRE_OUTFRAME_H

#include "base/bytes.h"
#include "base/ref.h"
#include "wire/opcode.h"

/* Visible only for the inline functions below. */
struct outframe {
    struct ref ref;
    _Atomic(struct outframe *)
        twin; /* owned: the same message compressed; NULL: not made yet */
    size_t len;
    uint32_t messages; /* that the bytes hold: 1, or more after outframe_join */
    uint8_t at[];
};

/* A frame of `len` bytes for the caller to fill through *at before anyone else gets a
 * reference. Returns one reference, or NULL when memory is out (*at unwritten). */
struct outframe *outframe_alloc(size_t len, uint8_t **at);

/* A frame whose bytes are a copy of `bytes`, as they are. NULL when memory is out. */
struct outframe *outframe_new_raw(struct bytes bytes);

/* One unmasked WebSocket frame with FIN set and a copy of `payload` (RFC 6455 5.2). A
 * control frame's payload is at most 125 bytes. NULL when memory is out. */
struct outframe *outframe_new(enum ws_opcode op, struct bytes payload);

/* A Close frame (RFC 6455 5.5.1). With 1005 (no status) the payload is empty; otherwise
 * `code` and `reason`, UTF-8, which is cut to 123 bytes between two characters. 1006 is
 * never sent (7.4.1). NULL when memory is out. */
struct outframe *outframe_new_close(uint16_t code, struct bytes reason);

/* The bytes of `count` frames one after the other, as one; the parts are borrowed. NULL
 * when memory is out. */
struct outframe *outframe_join(struct outframe *const *parts, size_t count);

/* Drops one reference; frees with the last. NULL is allowed. */
void outframe_unref(struct outframe *f);

/* Takes one more reference and returns `f`. */
static inline struct outframe *outframe_ref(struct outframe *f)
{
    ref_take(&f->ref);
    return f;
}

/* The compressed twin, or NULL. Borrowed from `f`. */
static inline struct outframe *outframe_twin(const struct outframe *f)
{
    return atomic_load_explicit(&f->twin, memory_order_acquire);
}

/* Gives `f` its twin and the caller's reference to it; when another thread was quicker,
 * that one's stays. Returns the one that stays. */
struct outframe *outframe_set_twin(struct outframe *f, struct outframe *twin);

/* All its bytes; valid while a reference is held. */
static inline struct bytes outframe_bytes(const struct outframe *f)
{
    return (struct bytes){f->at, f->len};
}

#endif
