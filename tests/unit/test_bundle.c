/* bundle: what goes in comes out in order, and every reference is given back. */
#include "room/bundle.h"

#include "unit.h"

static struct outframe *message(const char *text)
{
    struct outframe *f = outframe_new(WS_TEXT, bytes_of(text));
    assert_non_null(f);
    return f;
}

static void bundle_is_open_while_it_holds_messages(void **state)
{
    (void)state;
    struct bundles all;
    struct bundle b;
    struct outframe *f = message("a");
    bundles_init(&all);
    bundle_init(&b);
    assert_true(list_is_empty(&all.open));
    for (int i = 0; i < 3; i++)
        assert_int_equal(bundle_add(&b, &all, f), 0);
    assert_ptr_equal(all.open.next, &b.open);
    assert_ptr_equal(b.open.next, &all.open);
    assert_int_equal(bundle_count(&b), 3);
    assert_int_equal(all.bytes, 9);
    bundle_clear(&b, &all);
    assert_true(list_is_empty(&all.open));
    assert_int_equal(bundle_count(&b), 0);
    assert_int_equal(all.bytes, 0);
    assert_int_equal(atomic_load(&f->ref.count), 1);
    assert_int_equal(bundle_add(&b, &all, f), 0);
    bundle_deinit(&b, &all);
    assert_true(list_is_empty(&all.open));
    assert_int_equal(all.bytes, 0);
    assert_int_equal(atomic_load(&f->ref.count), 1);
    outframe_unref(f);
}

static void bundle_has_room_up_to_its_limits(void **state)
{
    (void)state;
    struct bundles all;
    struct bundle b;
    struct outframe *f = message("abc"); /* 5 bytes */
    bundles_init(&all);
    bundle_init(&b);
    assert_true(bundle_has_room(&b, 10, 10));
    assert_false(bundle_has_room(&b, 11, 10));
    assert_false(bundle_has_room(&b, BUNDLE_BYTES_MAX + 1, SIZE_MAX));
    for (int i = 0; i < BUNDLE_MESSAGES_MAX; i++) {
        assert_true(bundle_has_room(&b, 5, SIZE_MAX));
        assert_int_equal(bundle_add(&b, &all, f), 0);
    }
    assert_false(bundle_has_room(&b, 5, SIZE_MAX));
    bundle_deinit(&b, &all);
    outframe_unref(f);
}

static void bundle_joins_in_order(void **state)
{
    (void)state;
    struct bundles all;
    struct bundle b;
    bundles_init(&all);
    bundle_init(&b);
    for (const char *text = "a\0bc\0\0def\0"
                            "end";
         strcmp(text, "end") != 0; text += strlen(text) + 1) {
        struct outframe *f = message(text);
        assert_int_equal(bundle_add(&b, &all, f), 0);
        outframe_unref(f);
    }
    struct outframe *whole = outframe_join(bundle_parts(&b), bundle_count(&b));
    assert_non_null(whole);
    assert_int_equal(whole->messages, 4);
    assert_bytes_equal(outframe_bytes(whole), BYTES("\x81\x01"
                                                    "a\x81\x02"
                                                    "bc\x81\0\x81\x03"
                                                    "def"));
    outframe_unref(whole);
    bundle_deinit(&b, &all);
}

static void bundle_is_unchanged_without_memory(void **state)
{
    (void)state;
    struct bundles all;
    struct bundle b;
    struct outframe *f = message("abc");
    bundles_init(&all);
    bundle_init(&b);
    alloc_fail_at(1);
    assert_int_equal(bundle_add(&b, &all, f), -1);
    assert_true(list_is_empty(&all.open));
    assert_int_equal(all.bytes, 0);
    alloc_fail_at(0);
    assert_int_equal(bundle_add(&b, &all, f), 0);
    alloc_fail_at(1);
    assert_null(outframe_join(bundle_parts(&b), 1));
    alloc_fail_at(0);
    bundle_deinit(&b, &all);
    assert_int_equal(atomic_load(&f->ref.count), 1);
    outframe_unref(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bundle_is_open_while_it_holds_messages),
        cmocka_unit_test(bundle_has_room_up_to_its_limits),
        cmocka_unit_test(bundle_joins_in_order),
        cmocka_unit_test(bundle_is_unchanged_without_memory),
    };
    return cmocka_run_group_tests_name("bundle", tests, NULL, NULL);
}
