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

struct peer *waits_over(const struct waits *w, enum conn_wait kind, double now)
{
    double first = waits_first(w, kind);
    return first != 0 && first <= now ? LIST_ENTRY(w->kinds[kind].next, struct peer, wait)
                                      : NULL;
}
