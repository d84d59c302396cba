/* waits: the waits of one kind last equally long, so a list a kind, appended to, is in
 * the order of deadlines by itself: beginning, ending and the next one cost nothing. */
#include "room/waits.h"

void waits_init(struct waits *w, const double seconds[CONN_WAIT_KINDS])
{
    for (int i = 0; i < CONN_WAIT_KINDS; i++) {
        list_init(&w->kinds[i]);
        w->seconds[i] = seconds[i];
    }
}

void waits_begin(struct waits *w, struct peer *p, enum conn_wait kind, double now)
{
    list_remove(&p->wait);
    p->deadline = now + w->seconds[kind];
    list_add_tail(&w->kinds[kind], &p->wait);
}

static struct peer *first(const struct waits *w, enum conn_wait kind)
{
    return list_is_empty(&w->kinds[kind])
               ? NULL
               : LIST_ENTRY(w->kinds[kind].next, struct peer, wait);
}

struct peer *waits_over(const struct waits *w, enum conn_wait kind, double now)
{
    struct peer *p = first(w, kind);
    return p && p->deadline <= now ? p : NULL;
}

double waits_first(const struct waits *w, enum conn_wait kind)
{
    struct peer *p = first(w, kind);
    return p ? p->deadline : 0;
}
