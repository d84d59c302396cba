/* config: every option of its table can be set, has limits, and survives a bad value. The
 * files themselves are included, for their memory runs out here. */
#include "unit.h"

#include <stdlib.h>

/* A strdup and a strndup that run out of memory when a test says so. */
static char *copy_of(const char *text, size_t len)
{
    char *copy = malloc(len + 1);
    if (copy) {
        memcpy(copy, text, len);
        copy[len] = 0;
    }
    return copy;
}
#undef strdup
#undef strndup
#define strdup(text)       copy_of(text, strlen(text))
#define strndup(text, len) copy_of(text, len)
#include "config.c"       /* NOLINT */
#include "config_table.c" /* NOLINT */
#undef strdup
#undef strndup

static const struct value {
    const char *option, *good;
    const char *bad[6]; /* up to NULL */
} values[] = {
    {"listen",
     "127.0.0.1:0",
     {"", "7272", "127.0.0.1", "localhost:80", "127.0.0.1:65536", "unix:"}},
    {"cert", "cert.pem", {""}},
    {"key", "key.pem", {""}},
    {"client-ca", "ca.pem", {""}},
    {"origin",
     "https://example.org",
     {"", "example.org", "://x", "http://", "http://a/b"}},
    {"host",
     "chat.example.org",
     {"", "https://a.test", "a.test:80", "127.0.0.1", "*.a.test", "[::1]"}},
    {"hsts", "86400", {"63072001"}},
    {"trust-proxy",
     "10.0.0.0/8",
     {"", "10.0.0.0/33", "10.0.0/8", "localhost", "::1/129"}},
    {"threads", "3", {"many"}},
    {"max-connections", "10", {"1k"}},
    {"max-per-address", "10", {"1k"}},
    {"max-connect-rate", "10", {"1k"}},
    {"max-rate", "10", {"1k"}},
    {"max-byte-rate", "64k", {"64K"}},
    {"max-queued", "64m", {"64M"}},
    {"max-json-depth", "10", {"1k"}},
    {"deflate-min", "1k", {"1K"}},
    {"no-deflate", NULL, {"", "maybe", "YES", "on", "2", "no yes"}},
    {"script", "a.lua", {""}},
    {"page", "public", {""}},
    {"watch", NULL, {"", "maybe", "YES", "on", "2", "no yes"}},
    {"trusted", NULL, {"", "maybe", "YES", "on", "2", "no yes"}},
    {"set", "key=value", {"", "key", "=value", "="}},
    {"env", "API_KEY", {"", "A=B", "1A", "A B", "A-B", "\xC3\xB1"}},
    {"http-allow",
     "https://example.org:8443",
     {"", "*", "example.org", "ftp://a", "https://a/", "https://u@a"}},
    {"http-ca", "ca.pem", {""}},
    {"http-max", "2m", {"2M"}},
    {"log-level", "debug", {"", "Debug", "4", "warning", "error "}},
    {"max-message", "2m", {"1g", "1mm", "1 m", "m"}},
    {"max-fragments", "100", {"1k"}},
    {"max-head", "8k", {"8kb"}},
    {"max-body", "128k", {"0"}},
    {"answer-time", "30", {"0"}},
    {"max-fields", "50", {"1k"}},
    {"max-queue", "64k", {"64K"}},
    {"slow", "drop", {"", "Drop", "d", "closed"}},
    {"max-rooms", "1000", {"1k"}},
    {"max-client-rooms", "10", {"1k"}},
    {"head-time", "5", {"5s"}},
    {"keep-alive-time", "60", {"0", "60s"}},
    {"ping-interval", "10", {"1m"}},
    {"ping-timeout", "5", {"1m"}},
    {"close-time", "2", {"1m"}},
    {"handler-time", "100", {"100ms"}},
    {"script-memory", "64m", {"64M"}},
};

static const char *const no_numbers[] = {
    "",    " ",   "x",   "-",   "1x",  "x1",       "1.5",
    "1 ",  " 1",  "+1",  "nan", "inf", "\xD9\xA1", "0x10",
    "1e3", "--1", "1,0", "k",   "1km", "m1",       "99999999999999999999"};

static const struct value *value_of(const char *option)
{
    for (size_t i = 0; i < COUNT(values); i++)
        if (strcmp(values[i].option, option) == 0)
            return &values[i];
    return NULL;
}

static int set(struct config *c, const char *name, const char *value)
{
    char error[300] = "unset";
    int result = config_set(c, name, value, error, sizeof error);
    if (result < 0) { /* a sentence that names the option or the value */
        assert_string_not_equal(error, "unset");
        assert_true(strlen(error) > 10);
    }
    return result;
}

/* Refused, and not a byte of the config is another. */
static void assert_refuses(struct config *c, const char *name, const char *value)
{
    struct config before;
    memcpy(&before, c, sizeof before);
    if (set(c, name, value) != -1)
        fail_msg("--%s takes '%s'", name, value ? value : "(nothing)");
    assert_memory_equal(&before, c, sizeof before);
}

static void config_every_option_can_be_set(void **state)
{
    (void)state;
    size_t count;
    const struct config_option *all = config_options(&count);
    struct config c;
    config_init(&c);
    for (size_t i = 0; i < count; i++) {
        const struct value *v = value_of(all[i].name);
        if (!v)
            fail_msg("no value to test --%s with", all[i].name);
        struct config before;
        memcpy(&before, &c, sizeof before);
        assert_int_equal(set(&c, v->option, v->good), 0);
        assert_memory_not_equal(&before, &c, sizeof before); /* it did something */
    }
    assert_int_equal(count, COUNT(values));
    config_deinit(&c);
}

static void config_every_option_refuses_bad_values(void **state)
{
    (void)state;
    struct config c;
    config_init(&c);
    for (size_t i = 0; i < COUNT(values); i++)
        for (size_t k = 0; k < COUNT(values[i].bad) && values[i].bad[k]; k++)
            assert_refuses(&c, values[i].option, values[i].bad[k]);
    config_deinit(&c);
}

static void config_every_option_is_documented(void **state)
{
    (void)state;
    size_t count;
    const struct config_option *all = config_options(&count);
    for (size_t i = 0; i < count; i++) {
        assert_true(strlen(all[i].help) > 10);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(all[i].name, all[k].name);
    }
}

static bool is_number(const struct config_option *o)
{
    return o->kind == CONFIG_NUMBER || o->kind == CONFIG_BYTES;
}

static void config_every_option_has_a_field_of_its_own(void **state)
{
    (void)state;
    size_t count;
    const struct config_option *all = config_options(&count);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i; k++)
            assert_true(all[i].offset != all[k].offset);
}

static void config_every_number_begins_as_the_help_says(void **state)
{
    (void)state;
    size_t count;
    const struct config_option *all = config_options(&count);
    struct config c;
    config_init(&c);
    for (size_t i = 0; i < count; i++) {
        if (!is_number(&all[i]) || *(int64_t *)field_of(&c, &all[i]) == CONFIG_AUTO)
            continue; /* by the machine: config_finish */
        assert_int_equal(*(int64_t *)field_of(&c, &all[i]),
                         strtoll(all[i].preset, NULL, 10));
        assert_in_range(*(int64_t *)field_of(&c, &all[i]), all[i].least, all[i].most);
    }
    assert_int_equal(c.threads, CONFIG_AUTO);
    assert_int_equal(c.ping_timeout, CONFIG_AUTO);
    assert_int_equal(c.log_level, LOG_INFO);
    assert_int_equal(c.drop_when_slow, false);
    config_deinit(&c);
}

static void config_every_number_has_limits(void **state)
{
    (void)state;
    size_t count;
    const struct config_option *all = config_options(&count);
    struct config c;
    char text[32];
    config_init(&c);
    for (const struct config_option *o = all; o < all + count; o++) {
        if (!is_number(o))
            continue;
        int64_t edges[] = {o->least, o->most};
        for (size_t k = 0; k < COUNT(edges); k++) {
            snprintf(text, sizeof text, "%lld", (long long)edges[k]);
            assert_int_equal(set(&c, o->name, text), 0);
            assert_int_equal(*(int64_t *)field_of(&c, o), edges[k]);
            snprintf(text, sizeof text, "%lld", (long long)(edges[k] + (k ? 1 : -1)));
            assert_refuses(&c, o->name, text);
        }
        assert_refuses(&c, o->name, "-9223372036854775808");
        assert_refuses(&c, o->name, "9223372036854775807");
        for (size_t k = 0; k < COUNT(no_numbers); k++)
            assert_refuses(&c, o->name, no_numbers[k]);
    }
    config_deinit(&c);
}

static void config_bytes_may_end_in_k_or_m(void **state)
{
    (void)state;
    struct config c;
    config_init(&c);
    assert_int_equal(set(&c, "max-message", "3k"), 0);
    assert_int_equal(c.max_message, 3 * 1024);
    assert_int_equal(set(&c, "max-message", "3m"), 0);
    assert_int_equal(c.max_message, 3 * 1024 * 1024);
    assert_refuses(&c, "max-message", "1025m");
    assert_refuses(&c, "max-message", "-1k");
    assert_refuses(&c, "max-message", "-17592186044415m"); /* 1 MiB, but for 2^64 */
    config_deinit(&c);
}

static void config_options_with_a_value_need_one(void **state)
{
    (void)state;
    struct config c;
    config_init(&c);
    for (size_t i = 0; i < COUNT(values); i++)
        if (values[i].good)
            assert_refuses(&c, values[i].option, NULL);
    config_deinit(&c);
}

static void config_a_flag_can_be_told_yes_and_no(void **state)
{
    (void)state;
    static const char *const words[] = {"no", "yes", "false", "true", "0", "1"};
    struct config c;
    config_init(&c);
    for (size_t i = 0; i < COUNT(words); i++) {
        assert_int_equal(set(&c, "watch", words[i]), 0);
        assert_int_equal(c.watch, i % 2);
    }
    config_deinit(&c);
}

static void config_refuses_unknown_options(void **state)
{
    (void)state;
    struct config c;
    config_init(&c);
    assert_refuses(&c, "", "1");
    assert_refuses(&c, "max", "1");
    assert_refuses(&c, "--threads", "1");
    assert_refuses(&c, "Threads", "1");
    assert_refuses(&c, "nothing", NULL);
    config_deinit(&c);
}

static void config_repeatable_options_have_a_cap(void **state)
{
    (void)state;
    struct config c;
    config_init(&c);
    for (int i = 0; i < CONFIG_LISTEN_MAX; i++)
        assert_int_equal(set(&c, "listen", i % 2 ? "[::1]:0" : "unix:/tmp/x"), 0);
    assert_refuses(&c, "listen", "127.0.0.1:0");
    for (int i = 0; i < CONFIG_SET_MAX; i++)
        assert_int_equal(set(&c, "set", "key=a=b"), 0);
    assert_refuses(&c, "set", "key=value");
    for (int i = 0; i < CONFIG_ENV_MAX; i++)
        assert_int_equal(set(&c, "env", "HOME"), 0);
    assert_refuses(&c, "env", "HOME");
    for (int i = 0; i < CONFIG_ORIGIN_MAX; i++)
        assert_int_equal(set(&c, "http-allow", "http://a"), 0);
    assert_refuses(&c, "http-allow", "http://a");
    assert_string_equal(c.set[CONFIG_SET_MAX - 1].key, "key");
    assert_string_equal(c.set[CONFIG_SET_MAX - 1].value, "a=b");
    config_deinit(&c);
}

static void config_the_last_path_counts(void **state)
{
    (void)state;
    struct config c;
    config_init(&c);
    assert_int_equal(set(&c, "script", "a.lua"), 0);
    assert_int_equal(set(&c, "script", "b.lua"), 0);
    assert_string_equal(c.script, "b.lua");
    config_deinit(&c);
}

static struct config finished;

static int finish(const struct config *c)
{
    char error[300] = "";
    struct config before = *c;
    int result = config_finish(c, &finished, error, sizeof error);
    assert_memory_equal(&before, c, sizeof before);
    assert_int_equal(result, *error ? -1 : 0);
    return result;
}

static void config_finish_needs_a_script(void **state)
{
    (void)state;
    struct config c;
    config_init(&c);
    assert_int_equal(finish(&c), -1);
    assert_int_equal(set(&c, "script", "a.lua"), 0);
    assert_int_equal(finish(&c), 0);
    config_deinit(&c);
}

static void config_finish_fills_in_what_was_not_said(void **state)
{
    (void)state;
    struct config c;
    config_init(&c);
    assert_int_equal(set(&c, "script", "a.lua"), 0);
    assert_int_equal(finish(&c), 0);
    assert_int_equal(finished.listen.count, 2);
    assert_string_equal(finished.listen.at[0], "127.0.0.1:7272");
    assert_string_equal(finished.listen.at[1], "127.0.0.1:55151");
    assert_in_range(finished.threads, 0, CONFIG_THREADS_MAX);
    config_deinit(&c);
}

static void config_finish_keeps_what_was_said(void **state)
{
    (void)state;
    struct config c;
    config_init(&c);
    assert_int_equal(set(&c, "script", "a.lua"), 0);
    assert_int_equal(set(&c, "listen", "127.0.0.1:0"), 0);
    assert_int_equal(set(&c, "threads", "0"), 0);
    assert_int_equal(finish(&c), 0);
    assert_int_equal(finished.listen.count, 1);
    assert_int_equal(finished.threads, 0);
    config_deinit(&c);
}

static void config_finish_wants_the_pong_before_the_next_ping(void **state)
{
    (void)state;
    struct config c;
    config_init(&c);
    assert_int_equal(set(&c, "script", "a.lua"), 0);
    assert_int_equal(set(&c, "ping-interval", "5"), 0);
    assert_int_equal(set(&c, "ping-timeout", "5"), 0);
    assert_int_equal(finish(&c), -1);
    assert_int_equal(set(&c, "ping-timeout", "4"), 0);
    assert_int_equal(finish(&c), 0);
    config_deinit(&c);
}

/* The options of each row, up to NULL, and whether they can work together. */
static void config_finish_refuses_what_cant_work_together(void **state)
{
    (void)state;
    static const struct {
        const char *said[8];
        int result;
    } rows[] = {
        {{"max-queued", "64k"}, 0},
        {{"max-queued", "2m", "max-queue", "2m", "max-message", "2m"}, 0},
        {{"max-queued", "2m", "max-queue", "3m"}, -1},
        {{"max-queued", "2m", "max-message", "3m"}, -1},
        {{"max-queued", "2m", "max-body", "3m"}, -1},
        {{"max-queue", "512m"}, -1},
        {{"cert", "a", "key", "a", "listen", "tls:127.0.0.1:0"}, 0},
        {{"cert", "a", "key", "a"}, -1},
        {{"cert", "a", "listen", "tls:127.0.0.1:0"}, -1},
        {{"listen", "tls:127.0.0.1:0"}, -1},
        {{"client-ca", "a"}, -1},
        {{"no-deflate", "yes", "deflate-min", "5"}, -1},
        {{"no-deflate", "no", "deflate-min", "5"}, 0},
        {{"http-ca", "a"}, -1},
        {{"http-ca", "a", "http-allow", "https://a"}, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct config c;
        config_init(&c);
        assert_int_equal(set(&c, "script", "a.lua"), 0);
        for (size_t k = 0; k < 8 && rows[i].said[k]; k += 2)
            assert_int_equal(set(&c, rows[i].said[k], rows[i].said[k + 1]), 0);
        if (finish(&c) != rows[i].result)
            fail_msg("row %zu (--%s) is %s", i, rows[i].said[0],
                     rows[i].result ? "taken" : "refused");
        config_deinit(&c);
    }
}

static void config_finish_has_a_default_give_way_to_what_was_said(void **state)
{
    (void)state;
    struct config c;
    config_init(&c);
    assert_int_equal(set(&c, "script", "a.lua"), 0);
    assert_int_equal(set(&c, "max-queued", "64k"), 0);
    assert_int_equal(finish(&c), 0);
    assert_int_equal(finished.max_queue, 64 * 1024);
    assert_int_equal(finished.max_message, 64 * 1024);
    assert_int_equal(finished.max_body, 64 * 1024);
    config_deinit(&c);
}

static void config_names_the_option_that_was_probably_meant(void **state)
{
    (void)state;
    char error[300];
    struct config c;
    config_init(&c);
    assert_int_equal(config_set(&c, "listn", "x", error, sizeof error), -1);
    assert_string_equal(error, "there is no option --listn; did you mean --listen?");
    config_deinit(&c);
}

/* What an option says before anything else can be wrong with it is memory. */
static void config_is_unchanged_without_memory(void **state)
{
    (void)state;
    static const char *const texts[] = {"listen", "script", "page", "set"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct config c;
        config_init(&c);
        assert_int_equal(set(&c, texts[i], value_of(texts[i])->good), 0);
        size_t n = 1;
        for (;; n++) {
            struct config before;
            memcpy(&before, &c, sizeof before);
            alloc_fail_at(n);
            int result = set(&c, texts[i], value_of(texts[i])->good);
            bool failed = alloc_has_failed();
            alloc_fail_at(0);
            assert_int_equal(result, failed ? -1 : 0);
            if (!failed)
                break;
            assert_memory_equal(&before, &c, sizeof before);
        }
        assert_true(n > 1);
        config_deinit(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_every_option_can_be_set),
        cmocka_unit_test(config_every_option_refuses_bad_values),
        cmocka_unit_test(config_every_option_is_documented),
        cmocka_unit_test(config_every_option_has_a_field_of_its_own),
        cmocka_unit_test(config_every_number_begins_as_the_help_says),
        cmocka_unit_test(config_every_number_has_limits),
        cmocka_unit_test(config_bytes_may_end_in_k_or_m),
        cmocka_unit_test(config_options_with_a_value_need_one),
        cmocka_unit_test(config_a_flag_can_be_told_yes_and_no),
        cmocka_unit_test(config_refuses_unknown_options),
        cmocka_unit_test(config_repeatable_options_have_a_cap),
        cmocka_unit_test(config_the_last_path_counts),
        cmocka_unit_test(config_finish_needs_a_script),
        cmocka_unit_test(config_finish_fills_in_what_was_not_said),
        cmocka_unit_test(config_finish_keeps_what_was_said),
        cmocka_unit_test(config_finish_wants_the_pong_before_the_next_ping),
        cmocka_unit_test(config_finish_refuses_what_cant_work_together),
        cmocka_unit_test(config_finish_has_a_default_give_way_to_what_was_said),
        cmocka_unit_test(config_names_the_option_that_was_probably_meant),
        cmocka_unit_test(config_is_unchanged_without_memory),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
