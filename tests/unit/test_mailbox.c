/* mailbox: nothing lost, doubled or out of order, from one thread and from two. */
#include "base/mailbox.h"
#include "random.h"
#include "unit.h"

#include <time.h>

struct calls {
    unsigned woken, drained;
};

static void count_wake(void *ctx)
{
    ((struct calls *)ctx)->woken++;
}

static void count_drained(void *ctx)
{
    ((struct calls *)ctx)->drained++;
}

static void add(struct batch *b, uint64_t id, struct bytes bytes)
{
    struct mail m = {.kind = MAIL_MESSAGE, .id = id, .binary = true};
    assert_int_equal(batch_add(b, &m, bytes), 0);
}

/* The ids of a batch as digits of one number. */
static uint64_t digits(const struct batch *b)
{
    uint64_t n = 0;
    size_t at = 0;
    for (struct mail *m; (m = batch_next(b, &at));)
        n = n * 10 + m->id;
    return n;
}

static void batch_is_empty_at_first(void **state)
{
    (void)state;
    struct batch b = {0};
    size_t at = 0;
    assert_null(batch_next(&b, &at));
}

static void batch_keeps_mail_and_bytes_of_every_length(void **state)
{
    (void)state;
    static uint8_t bytes[300];
    struct batch b = {0};
    size_t at = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    for (size_t i = 0; i <= sizeof bytes; i++)
        add(&b, i, (struct bytes){bytes, i});
    for (size_t i = 0; i <= sizeof bytes; i++) {
        struct mail *m = batch_next(&b, &at);
        assert_non_null(m);
        assert_int_equal(m->kind, MAIL_MESSAGE);
        assert_int_equal(m->id, i);
        assert_true(m->binary);
        assert_int_equal((uintptr_t)m % _Alignof(struct mail), 0);
        assert_bytes_equal(mail_bytes(m), (struct bytes){bytes, i});
    }
    assert_null(batch_next(&b, &at));
    buf_deinit(&b.buf);
}

static void batch_is_unchanged_without_memory(void **state)
{
    (void)state;
    struct batch b = {0};
    add(&b, 1, BYTES("kept"));
    size_t len = b.buf.len;
    static uint8_t big[1000];
    alloc_fail_at(1);
    assert_int_equal(
        batch_add(&b, &(struct mail){.id = 2}, (struct bytes){big, sizeof big}), -1);
    alloc_fail_at(0);
    assert_int_equal(b.buf.len, len);
    assert_int_equal(digits(&b), 1);
    buf_deinit(&b.buf);
}

static void mailbox_gives_mail_in_the_order_of_posting(void **state)
{
    (void)state;
    struct calls calls = {0};
    struct mailbox box;
    struct batch first = {0}, second = {0}, taken = {0};
    mailbox_init(&box, 1000, count_wake, count_drained, &calls);
    assert_true(mailbox_is_empty(&box));
    add(&first, 1, BYTES("x"));
    add(&first, 2, BYTES(""));
    assert_int_equal(mailbox_post(&box, &first), 0);
    add(&second, 3, BYTES("y"));
    assert_int_equal(mailbox_post(&box, &second), 0);
    add(&first, 4, BYTES("z"));
    assert_int_equal(mailbox_post(&box, &first), 0);
    assert_int_equal(first.buf.len, 0);
    assert_int_equal(second.buf.len, 0);
    assert_false(mailbox_is_empty(&box));
    mailbox_take(&box, &taken);
    assert_true(mailbox_is_empty(&box));
    assert_int_equal(digits(&taken), 1234);
    taken.buf.len = 0;
    mailbox_take(&box, &taken);
    assert_int_equal(digits(&taken), 0);
    buf_deinit(&first.buf);
    buf_deinit(&second.buf);
    buf_deinit(&taken.buf);
    mailbox_deinit(&box);
}

static void mailbox_wakes_once_until_it_is_taken(void **state)
{
    (void)state;
    struct calls calls = {0};
    struct mailbox box;
    struct batch b = {0}, taken = {0};
    mailbox_init(&box, 1000, count_wake, count_drained, &calls);
    assert_int_equal(mailbox_post(&box, &b), 0);
    assert_int_equal(calls.woken, 0); /* an empty batch is no mail */
    for (unsigned turn = 1; turn <= 3; turn++) {
        for (int i = 0; i < 3; i++) {
            add(&b, 1, BYTES("x"));
            assert_int_equal(mailbox_post(&box, &b), 0);
            assert_int_equal(calls.woken, turn);
        }
        taken.buf.len = 0;
        mailbox_take(&box, &taken);
    }
    assert_int_equal(calls.drained, 0);
    buf_deinit(&b.buf);
    buf_deinit(&taken.buf);
    mailbox_deinit(&box);
}

static void mailbox_tells_drained_to_those_who_saw_it_full(void **state)
{
    (void)state;
    struct calls calls = {0};
    struct mailbox box;
    struct batch b = {0}, taken = {0};
    mailbox_init(&box, sizeof(struct mail) * 2, count_wake, count_drained, &calls);
    add(&b, 1, BYTES(""));
    assert_int_equal(mailbox_post(&box, &b), 0);
    assert_false(mailbox_is_full(&box));
    mailbox_take(&box, &taken);
    assert_int_equal(calls.drained, 0);
    for (uint64_t i = 1; i <= 3; i++) { /* beyond the cap too */
        add(&b, i, BYTES(""));
        assert_int_equal(mailbox_post(&box, &b), 0);
        assert_int_equal(mailbox_is_full(&box), i >= 2);
    }
    taken.buf.len = 0;
    mailbox_take(&box, &taken);
    assert_int_equal(digits(&taken), 123);
    assert_int_equal(calls.drained, 1);
    assert_false(mailbox_is_full(&box));
    taken.buf.len = 0;
    mailbox_take(&box, &taken);
    assert_int_equal(calls.drained, 1);
    buf_deinit(&b.buf);
    buf_deinit(&taken.buf);
    mailbox_deinit(&box);
}

static void mailbox_without_memory_leaves_the_batch_its_mail(void **state)
{
    (void)state;
    static uint8_t big[1000];
    struct calls calls = {0};
    struct mailbox box;
    struct batch b = {0}, taken = {0};
    mailbox_init(&box, 1000, count_wake, count_drained, &calls);
    add(&b, 1, BYTES(""));
    assert_int_equal(mailbox_post(&box, &b), 0);
    add(&b, 2, (struct bytes){big, sizeof big});
    alloc_fail_at(1);
    assert_int_equal(mailbox_post(&box, &b), -1);
    alloc_fail_at(0);
    assert_int_equal(digits(&b), 2);
    assert_int_equal(mailbox_post(&box, &b), 0);
    mailbox_take(&box, &taken);
    assert_int_equal(digits(&taken), 12);
    buf_deinit(&b.buf);
    buf_deinit(&taken.buf);
    mailbox_deinit(&box);
}

static void mailbox_gives_the_memory_of_a_rush_back(void **state)
{
    (void)state;
    static uint8_t big[200000];
    struct calls calls = {0};
    struct mailbox box;
    struct batch b = {0}, taken = {0};
    mailbox_init(&box, 1000, count_wake, count_drained, &calls);
    add(&b, 1, (struct bytes){big, sizeof big});
    assert_int_equal(mailbox_post(&box, &b), 0);
    mailbox_take(&box, &taken);
    add(&b, 2, BYTES(""));
    assert_int_equal(mailbox_post(&box, &b), 0);
    mailbox_take(&box, &taken);
    assert_int_equal(digits(&taken), 2);
    assert_in_range(b.buf.cap + taken.buf.cap + box.mail.buf.cap, 1, 3 * 64 * 1024);
    buf_deinit(&b.buf);
    buf_deinit(&taken.buf);
    mailbox_deinit(&box);
}

/* --- two threads --------------------------------------------------------- */

enum { WRITERS = 2, MAILS = 30000, CAP = 4096, DEADLINE_SECONDS = 60 };

/* A bell that rings once for any number of strokes. Only `rung` stands for an event: a
 * thread that misses one waits until the deadline, which fails the test. */
struct bell {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool rung;
};

static void bell_ring(struct bell *b)
{
    pthread_mutex_lock(&b->lock);
    b->rung = true;
    pthread_cond_broadcast(&b->cond);
    pthread_mutex_unlock(&b->lock);
}

/* False at the deadline. */
static bool bell_wait(struct bell *b)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += DEADLINE_SECONDS;
    pthread_mutex_lock(&b->lock);
    int late = 0;
    while (!b->rung && !late)
        late = pthread_cond_timedwait(&b->cond, &b->lock, &deadline);
    bool rung = b->rung;
    b->rung = false;
    pthread_mutex_unlock(&b->lock);
    return rung;
}

struct post_office {
    struct mailbox box;
    struct bell mail, room[WRITERS];
};

struct writer {
    struct post_office *office;
    uint32_t index;
    bool late;
    pthread_t thread;
};

static void ring_mail(void *ctx)
{
    bell_ring(&((struct post_office *)ctx)->mail);
}

static void ring_room(void *ctx)
{
    for (int i = 0; i < WRITERS; i++)
        bell_ring(&((struct post_office *)ctx)->room[i]);
}

/* Posts 1, 2, 3 and so on, in batches of one to eight, each with bytes that say the same;
 * stops as long as the box is full. */
static void *write_mail(void *ctx)
{
    struct writer *w = ctx;
    uint64_t seed = w->index + 1;
    struct batch b = {0};
    for (uint64_t id = 1; id <= MAILS && !w->late;) {
        for (uint32_t i = random_below(&seed, 8) + 1; i > 0 && id <= MAILS; i--, id++) {
            struct mail m = {.kind = MAIL_JOIN, .id = id, .room = w->index};
            (void)batch_add(&b, &m, (struct bytes){(uint8_t *)&id, id % 9});
        }
        (void)mailbox_post(&w->office->box, &b);
        while (!w->late && mailbox_is_full(&w->office->box))
            w->late = !bell_wait(&w->office->room[w->index]);
    }
    buf_deinit(&b.buf);
    return NULL;
}

/* Reads until each writer's last mail is here. Returns NULL, or what went wrong. */
static const char *read_mail(struct post_office *office)
{
    uint64_t last[WRITERS] = {0};
    struct batch taken = {0};
    const char *wrong = NULL;
    while (!wrong && (last[0] < MAILS || last[1] < MAILS)) {
        if (!bell_wait(&office->mail))
            wrong = "nobody was woken";
        mailbox_take(&office->box, &taken);
        if (taken.buf.len > CAP + WRITERS * 8 * (sizeof(struct mail) + 8))
            wrong = "the cap is no brake";
        size_t at = 0;
        for (struct mail *m; !wrong && (m = batch_next(&taken, &at));) {
            if (m->id != ++last[m->room])
                wrong = "lost, doubled or out of order";
            if (m->len != m->id % 9 || memcmp(m + 1, &m->id, m->id % 9) != 0)
                wrong = "wrong bytes";
        }
        taken.buf.len = 0;
    }
    buf_deinit(&taken.buf);
    return wrong;
}

static void mailbox_loses_nothing_between_threads(void **state)
{
    (void)state;
    static struct post_office office;
    struct writer writers[WRITERS];
    struct bell *bells[] = {&office.mail, &office.room[0], &office.room[1]};
    for (size_t i = 0; i < COUNT(bells); i++) {
        pthread_mutex_init(&bells[i]->lock, NULL);
        pthread_cond_init(&bells[i]->cond, NULL);
    }
    mailbox_init(&office.box, CAP, ring_mail, ring_room, &office);
    for (uint32_t i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.office = &office, .index = i};
        assert_int_equal(
            pthread_create(&writers[i].thread, NULL, write_mail, &writers[i]), 0);
    }
    const char *wrong = read_mail(&office);
    if (wrong) /* the writers may wait for ever: they end with the program */
        fail_msg("%s", wrong);
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        assert_false(writers[i].late);
    }
    mailbox_deinit(&office.box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_is_empty_at_first),
        cmocka_unit_test(batch_keeps_mail_and_bytes_of_every_length),
        cmocka_unit_test(batch_is_unchanged_without_memory),
        cmocka_unit_test(mailbox_gives_mail_in_the_order_of_posting),
        cmocka_unit_test(mailbox_wakes_once_until_it_is_taken),
        cmocka_unit_test(mailbox_tells_drained_to_those_who_saw_it_full),
        cmocka_unit_test(mailbox_without_memory_leaves_the_batch_its_mail),
        cmocka_unit_test(mailbox_gives_the_memory_of_a_rush_back),
        cmocka_unit_test(mailbox_loses_nothing_between_threads),
    };
    return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
