/* list: an intrusive doubly linked ring; a node that is alone links to itself.
 * Does not know: what holds the node (LIST_ENTRY turns back).
 * Thread: the one that owns the list.
 * Owner: nodes are embedded in their owners; the list never frees. */
#ifndef CHARLUA_BASE_LIST_H
#define CHARLUA_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *prev, *next;
};

/* The struct of `type` whose member `member` is the node `node`. */
#define LIST_ENTRY(node, type, member)                                                   \
    ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct list *l)
{
    l->prev = l->next = l;
}

static inline bool list_is_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_add_tail(struct list *head, struct list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

/* Takes the node out and leaves it alone; a node that is alone already stays so. */
static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

#endif
