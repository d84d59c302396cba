/* uring: many sends in one system call (io_uring), where the system has it.
 * Does not know: loops, connections, what the bytes mean.
 * Thread: one.
 * Owner: the shard. */
#ifndef CHARLUA_NET_URING_H
#define CHARLUA_NET_URING_H

#include "base/bytes.h"

#include <sys/types.h>

enum { URING_SENDS_MAX = 512 }; /* between two submissions */

struct uring;

/* NULL when it was built without, the system has none or does not allow it, or memory is
 * out: then every stream writes for itself. */
struct uring *uring_new(void);
void uring_free(struct uring *r);

/* Queues a send of `bytes` on the non-blocking socket `fd`; they and *result have to stay
 * until uring_submit. Returns false when it can't be taken. */
bool uring_send(struct uring *r, int fd, struct bytes bytes, ssize_t *result);

/* Sends all that was queued. Each *result then is how many bytes left, or STREAM_AGAIN or
 * STREAM_ERROR. Never waits. */
void uring_submit(struct uring *r);

#endif
