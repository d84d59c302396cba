/* stream_memory: the ops. A script is consulted once a call. */
#include "stream_memory.h"

#include <assert.h>

static struct stream_memory *of(struct stream *s)
{
    return (struct stream_memory *)(void *)((char *)s -
                                            offsetof(struct stream_memory, stream));
}

static ssize_t next(struct memory_script *script)
{
    return script->at < script->count ? script->steps[script->at++] : script->rest;
}

static ssize_t memory_read(struct stream *stream, uint8_t *at, size_t len)
{
    struct stream_memory *s = of(stream);
    ssize_t step = next(&s->reads);
    if (step <= 0)
        return step;
    size_t n = (size_t)step < len ? (size_t)step : len;
    if (n > s->in.len)
        n = s->in.len;
    if (n == 0)
        return STREAM_AGAIN;
    memcpy(at, s->in.at, n);
    s->in = bytes_skip(s->in, n);
    return (ssize_t)n;
}

static ssize_t memory_write(struct stream *stream, const struct iovec *iov, int count)
{
    struct stream_memory *s = of(stream);
    ssize_t step = next(&s->writes);
    size_t taken = 0;
    s->write_calls++;
    s->wrote_after = s->wrote_after || s->fins > 0;
    if (step < 0)
        return step;
    for (int i = 0; i < count && taken < (size_t)step; i++) {
        size_t n = iov[i].iov_len;
        if (n > (size_t)step - taken)
            n = (size_t)step - taken;
        assert(s->out_len + n <= MEMORY_OUT_MAX);
        memcpy(s->out + s->out_len, iov[i].iov_base, n);
        s->out_len += n;
        taken += n;
    }
    return (ssize_t)taken;
}

static bool memory_is_pending(const struct stream *stream)
{
    const struct stream_memory *s = of((struct stream *)(uintptr_t)stream);
    return s->pending && s->in.len > 0;
}

static void memory_shutdown(struct stream *stream)
{
    of(stream)->fins++;
}

static void memory_free(struct stream *stream)
{
    of(stream)->freed++;
}

static const struct stream_ops memory_ops = {
    .read = memory_read,
    .write = memory_write,
    .is_pending = memory_is_pending,
    .shutdown = memory_shutdown,
    .free = memory_free,
};

void stream_memory_init(struct stream_memory *s)
{
    *s = (struct stream_memory){.stream = {&memory_ops, -1},
                                .reads = {.rest = MEMORY_ALL},
                                .writes = {.rest = MEMORY_ALL}};
}

struct bytes stream_memory_out(const struct stream_memory *s)
{
    return (struct bytes){s->out, s->out_len};
}
