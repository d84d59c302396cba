/* bundle: references in a buffer that is kept for the next ones. */
#include "room/bundle.h"

void bundles_init(struct bundles *all)
{
    *all = (struct bundles){0};
    list_init(&all->open);
}

void bundle_init(struct bundle *b)
{
    *b = (struct bundle){0};
    list_init(&b->open);
}

void bundle_deinit(struct bundle *b, struct bundles *all)
{
    bundle_clear(b, all);
    buf_deinit(&b->parts);
}

bool bundle_has_room(const struct bundle *b, size_t len, size_t bytes_max)
{
    size_t max = bytes_max < BUNDLE_BYTES_MAX ? bytes_max : BUNDLE_BYTES_MAX;
    return bundle_count(b) < BUNDLE_MESSAGES_MAX && b->bytes + len <= max;
}

int bundle_add(struct bundle *b, struct bundles *all, struct outframe *f)
{
    if (buf_reserve(&b->parts, sizeof(struct outframe *)) < 0)
        return -1;
    bundle_parts(b)[bundle_count(b)] = outframe_ref(f);
    b->parts.len += sizeof(struct outframe *);
    b->bytes += outframe_bytes(f).len;
    all->bytes += outframe_bytes(f).len;
    if (list_is_empty(&b->open))
        list_add_tail(&all->open, &b->open);
    return 0;
}

void bundle_clear(struct bundle *b, struct bundles *all)
{
    for (size_t i = 0; i < bundle_count(b); i++)
        outframe_unref(bundle_parts(b)[i]);
    b->parts.len = 0;
    all->bytes -= b->bytes;
    b->bytes = 0;
    list_remove(&b->open);
}
