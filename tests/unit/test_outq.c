/* outq: what is described is always the rest of what was pushed. */
#include "net/outq.h"
#include "random.h"
#include "unit.h"

enum { FRAMES = 5 };

static const char *const texts[FRAMES] = {"a", "bc", "def", "", "ghij"};
static const char whole[] = "abcdefghij";
enum { WHOLE = sizeof whole - 1 };

static void push(struct outq *q, const char *text)
{
    struct outframe *f = outframe_new_raw(bytes_of(text));
    assert_non_null(f);
    assert_int_equal(outq_push(q, f), 0);
    outframe_unref(f);
}

static void fill(struct outq *q)
{
    for (int i = 0; i < FRAMES; i++)
        push(q, texts[i]);
}

static void assert_waits(const struct outq *q, const char *wanted)
{
    struct iovec iov[64];
    char got[256];
    size_t len = 0;
    int n = outq_iov(q, iov, 64);
    for (int i = 0; i < n; i++) {
        if (iov[i].iov_len)
            memcpy(got + len, iov[i].iov_base, iov[i].iov_len);
        len += iov[i].iov_len;
    }
    got[len] = 0;
    assert_string_equal(got, wanted);
    assert_int_equal(q->bytes, len);
}

static void assert_owns_nothing(const struct outq *q)
{
    assert_null(q->ring);
    assert_int_equal(q->count, 0);
    assert_int_equal(q->bytes, 0);
    assert_int_equal(q->sent, 0);
}

static void outq_is_empty_at_first(void **state)
{
    (void)state;
    struct outq q = {0};
    assert_waits(&q, "");
    outq_deinit(&q);
    assert_owns_nothing(&q);
}

static void outq_keeps_the_order_of_pushing(void **state)
{
    (void)state;
    struct outq q = {0};
    fill(&q);
    assert_waits(&q, whole);
    outq_deinit(&q);
    assert_owns_nothing(&q);
}

static void outq_takes_a_reference_of_its_own(void **state)
{
    (void)state;
    struct outq q = {0};
    struct outframe *f = outframe_new_raw(BYTES("x"));
    assert_int_equal(outq_push(&q, f), 0);
    assert_int_equal(outq_push(&q, f), 0);
    assert_int_equal(atomic_load(&f->ref.count), 3);
    outq_advance(&q, 1);
    assert_int_equal(atomic_load(&f->ref.count), 2);
    outq_deinit(&q);
    assert_int_equal(atomic_load(&f->ref.count), 1);
    outframe_unref(f);
}

/* Every way of cutting the bytes in three. */
static void outq_advances_by_any_number_of_bytes(void **state)
{
    (void)state;
    for (size_t a = 0; a <= WHOLE; a++)
        for (size_t b = a; b <= WHOLE; b++) {
            struct outq q = {0};
            fill(&q);
            outq_advance(&q, a);
            assert_waits(&q, whole + a);
            outq_advance(&q, b - a);
            assert_waits(&q, whole + b);
            outq_advance(&q, WHOLE - b);
            assert_owns_nothing(&q);
        }
}

static void outq_advances_byte_by_byte(void **state)
{
    (void)state;
    struct outq q = {0};
    fill(&q);
    for (size_t i = 0; i < WHOLE; i++) {
        assert_waits(&q, whole + i);
        outq_advance(&q, 1);
    }
    assert_owns_nothing(&q);
}

static void outq_of_an_empty_frame_ends_with_no_bytes(void **state)
{
    (void)state;
    struct outq q = {0};
    push(&q, "");
    assert_int_equal(q.count, 1);
    outq_advance(&q, 0);
    assert_owns_nothing(&q);
}

static void outq_describes_no_more_than_asked(void **state)
{
    (void)state;
    struct outq q = {0};
    struct iovec iov[FRAMES];
    fill(&q);
    for (int max = 0; max <= FRAMES; max++)
        assert_int_equal(outq_iov(&q, iov, max), max);
    assert_int_equal(outq_iov(&q, iov, FRAMES + 1), FRAMES);
    outq_deinit(&q);
}

static void outq_drops_what_has_not_begun_to_leave(void **state)
{
    (void)state;
    static const char *const kept[WHOLE + 1] = {"", "",    "c",  "",  "ef", "f",
                                                "", "hij", "ij", "j", ""};
    for (size_t n = 0; n <= WHOLE; n++) {
        struct outq q = {0};
        fill(&q);
        outq_advance(&q, n);
        outq_drop_unsent(&q, 0);
        assert_waits(&q, kept[n]);
        push(&q, "!");
        char wanted[8];
        snprintf(wanted, sizeof wanted, "%s!", kept[n]);
        assert_waits(&q, wanted);
        outq_deinit(&q);
    }
}

/* The ring grows and wraps at every place. */
static void outq_agrees_with_a_model_over_random_changes(void **state)
{
    (void)state;
    uint64_t seed = 3;
    struct outq q = {0};
    char model[256] = "";
    for (int n = 0; n < 20000; n++) {
        size_t len = strlen(model);
        if (len < 120 && random_below(&seed, 2)) {
            char text[8] = "";
            for (uint32_t i = random_below(&seed, 7); i > 0; i--)
                text[i - 1] = (char)('a' + random_below(&seed, 26));
            push(&q, text);
            memcpy(model + len, text, strlen(text) + 1);
        } else {
            size_t gone = random_below(&seed, (uint32_t)len + 1);
            outq_advance(&q, gone);
            memmove(model, model + gone, len - gone + 1);
        }
        if (q.count <= 64)
            assert_waits(&q, model);
    }
    outq_deinit(&q);
}

static void outq_is_unchanged_without_memory(void **state)
{
    (void)state;
    struct outframe *f = outframe_new_raw(BYTES("x"));
    size_t failures = 0;
    for (size_t n = 1;; n++) {
        struct outq q = {0};
        uint32_t pushed = 0;
        alloc_fail_at(n);
        while (pushed < 40 && outq_push(&q, f) == 0)
            pushed++;
        bool failed = alloc_has_failed();
        assert_int_equal(q.count, pushed);
        assert_int_equal(q.bytes, pushed);
        assert_int_equal(atomic_load(&f->ref.count), 1 + pushed);
        outq_deinit(&q);
        assert_int_equal(atomic_load(&f->ref.count), 1);
        if (!failed)
            break;
        assert_true(pushed < 40);
        failures++;
    }
    alloc_fail_at(0);
    assert_true(failures >= 4);
    outframe_unref(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outq_is_empty_at_first),
        cmocka_unit_test(outq_keeps_the_order_of_pushing),
        cmocka_unit_test(outq_takes_a_reference_of_its_own),
        cmocka_unit_test(outq_advances_by_any_number_of_bytes),
        cmocka_unit_test(outq_advances_byte_by_byte),
        cmocka_unit_test(outq_of_an_empty_frame_ends_with_no_bytes),
        cmocka_unit_test(outq_describes_no_more_than_asked),
        cmocka_unit_test(outq_drops_what_has_not_begun_to_leave),
        cmocka_unit_test(outq_agrees_with_a_model_over_random_changes),
        cmocka_unit_test(outq_is_unchanged_without_memory),
    };
    return cmocka_run_group_tests_name("outq", tests, NULL, NULL);
}
