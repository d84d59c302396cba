/* list: a ring whose nodes can leave at any time, twice too. */
#include "base/list.h"
#include "unit.h"

struct item {
    int value;
    struct list node;
};

/* The values from first to last as digits of one number. */
static int digits(const struct list *head)
{
    int n = 0;
    for (struct list *at = head->next; at != head; at = at->next) {
        assert_ptr_equal(at->next->prev, at);
        n = n * 10 + LIST_ENTRY(at, struct item, node)->value;
    }
    return n;
}

static void fill(struct list *head, struct item items[3])
{
    list_init(head);
    for (int i = 0; i < 3; i++) {
        items[i].value = i + 1;
        list_add_tail(head, &items[i].node);
    }
}

static void list_is_empty_at_first(void **state)
{
    (void)state;
    struct list head;
    list_init(&head);
    assert_true(list_is_empty(&head));
    assert_int_equal(digits(&head), 0);
}

static void list_keeps_the_order_of_adding(void **state)
{
    (void)state;
    struct list head;
    struct item items[3];
    fill(&head, items);
    assert_false(list_is_empty(&head));
    assert_int_equal(digits(&head), 123);
}

static void list_remove_leaves_the_others(void **state)
{
    (void)state;
    static const int wanted[] = {23, 13, 12};
    for (int i = 0; i < 3; i++) {
        struct list head;
        struct item items[3];
        fill(&head, items);
        list_remove(&items[i].node);
        assert_int_equal(digits(&head), wanted[i]);
        assert_true(list_is_empty(&items[i].node));
    }
}

static void list_remove_twice_is_once(void **state)
{
    (void)state;
    struct list head;
    struct item items[3];
    fill(&head, items);
    list_remove(&items[1].node);
    list_remove(&items[1].node);
    assert_int_equal(digits(&head), 13);
}

static void list_node_can_come_back(void **state)
{
    (void)state;
    struct list head;
    struct item items[3];
    fill(&head, items);
    list_remove(&items[0].node);
    list_add_tail(&head, &items[0].node);
    assert_int_equal(digits(&head), 231);
}

static void list_is_empty_after_the_last_leaves(void **state)
{
    (void)state;
    struct list head;
    struct item items[3];
    fill(&head, items);
    for (int i = 0; i < 3; i++)
        list_remove(&items[i].node);
    assert_true(list_is_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_is_empty_at_first),
        cmocka_unit_test(list_keeps_the_order_of_adding),
        cmocka_unit_test(list_remove_leaves_the_others),
        cmocka_unit_test(list_remove_twice_is_once),
        cmocka_unit_test(list_node_can_come_back),
        cmocka_unit_test(list_is_empty_after_the_last_leaves),
    };
    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
