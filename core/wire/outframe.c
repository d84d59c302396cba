/* outframe: one allocation holds the count and the bytes. */
#include "wire/outframe.h"

#include "wire/header.h"

#include <assert.h>
#include <stdlib.h>

struct outframe *outframe_alloc(size_t len, uint8_t **at)
{
    if (len > SIZE_MAX / 2)
        return NULL;
    struct outframe *f = malloc(sizeof *f + len);
    if (!f)
        return NULL;
    ref_init(&f->ref);
    atomic_init(&f->twin, NULL);
    f->len = len;
    f->messages = 1;
    *at = f->at;
    return f;
}

struct outframe *outframe_new_raw(struct bytes bytes)
{
    uint8_t *at;
    struct outframe *f = outframe_alloc(bytes.len, &at);
    if (f && bytes.len)
        memcpy(at, bytes.at, bytes.len);
    return f;
}

struct outframe *outframe_new(enum ws_opcode op, struct bytes payload)
{
    assert(op < WS_CLOSE || payload.len <= WS_CONTROL_MAX);
    if (payload.len > SIZE_MAX / 4)
        return NULL;
    uint8_t head[WS_HEADER_WRITE_MAX], *at;
    size_t head_len = ws_header_write(head, true, 0, op, payload.len);
    struct outframe *f = outframe_alloc(head_len + payload.len, &at);
    if (!f)
        return NULL;
    memcpy(at, head, head_len);
    if (payload.len)
        memcpy(at + head_len, payload.at, payload.len);
    return f;
}

struct outframe *outframe_new_close(uint16_t code, struct bytes reason)
{
    assert(code != WS_CLOSE_ABNORMAL);
    if (code == WS_CLOSE_NO_STATUS)
        return outframe_new(WS_CLOSE, (struct bytes){NULL, 0});
    size_t len = reason.len;
    if (len > WS_CONTROL_MAX - 2) {
        len = WS_CONTROL_MAX - 2;
        while (len > 0 && (reason.at[len] & 0xC0) == 0x80)
            len--;
    }
    uint8_t payload[WS_CONTROL_MAX] = {(uint8_t)(code >> 8), (uint8_t)code};
    if (len)
        memcpy(payload + 2, reason.at, len);
    return outframe_new(WS_CLOSE, (struct bytes){payload, len + 2});
}

struct outframe *outframe_join(struct outframe *const *parts, size_t count)
{
    uint8_t *at;
    size_t len = 0;
    uint32_t messages = 0;
    for (size_t i = 0; i < count; i++) {
        len += parts[i]->len;
        messages += parts[i]->messages;
    }
    struct outframe *f = outframe_alloc(len, &at);
    if (!f)
        return NULL;
    f->messages = messages;
    for (size_t i = 0; i < count; i++) {
        memcpy(at, parts[i]->at, parts[i]->len);
        at += parts[i]->len;
    }
    return f;
}

struct outframe *outframe_set_twin(struct outframe *f, struct outframe *twin)
{
    struct outframe *first = NULL;
    if (atomic_compare_exchange_strong_explicit(
            &f->twin, &first, twin, memory_order_acq_rel, memory_order_acquire))
        return twin;
    outframe_unref(twin);
    return first;
}

void outframe_unref(struct outframe *f)
{
    if (!f || !ref_drop(&f->ref))
        return;
    outframe_unref(outframe_twin(f));
    free(f);
}
