/* embed: the public API as an embedding program uses it, wrongly too: each call before,
 * while and after the server runs. The server listens on a free port of loopback and runs
 * on a second thread. */
#include "unit.h"

#include "charlua.h"

#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static const char RULES[] = "return { api = 1, on_open = function() end, on = {} }";

struct life {
    struct charlua *server;
    char script[64];
    pthread_t thread;
    sem_t started;
    int result;
    void (*when_ready)(struct life *life); /* NULL, or called on the server's thread */
};

static int silent_log; /* its address is a context */

static void keep_silent(void *context, const char *level, const char *line)
{
    (void)level, (void)line;
    assert_ptr_equal(context, &silent_log);
}

static int setup(void **state)
{
    struct life *life = calloc(1, sizeof *life);
    assert_non_null(life);
    strcpy(life->script, "/tmp/charlua-embed-XXXXXX");
    int fd = mkstemp(life->script);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, RULES, sizeof RULES - 1), sizeof RULES - 1);
    close(fd);
    sem_init(&life->started, 0, 0);
    life->server = charlua_new();
    assert_non_null(life->server);
    assert_int_equal(charlua_set(life->server, "script", life->script), 0);
    assert_int_equal(charlua_set(life->server, "listen", "127.0.0.1:0"), 0);
    assert_int_equal(charlua_set(life->server, "threads", "0"), 0);
    charlua_on_log(life->server, keep_silent, &silent_log);
    *state = life;
    return 0;
}

static int teardown(void **state)
{
    struct life *life = *state;
    charlua_free(life->server);
    unlink(life->script);
    sem_destroy(&life->started);
    free(life);
    return 0;
}

static void on_ready(void *context)
{
    struct life *life = context;
    if (life->when_ready)
        life->when_ready(life);
    sem_post(&life->started);
}

static void *run(void *context)
{
    struct life *life = context;
    life->result = charlua_run(life->server);
    sem_post(&life->started);
    return NULL;
}

static void start(struct life *life)
{
    charlua_on_ready(life->server, on_ready, life);
    assert_int_equal(pthread_create(&life->thread, NULL, run, life), 0);
    sem_wait(&life->started);
}

static void stop(struct life *life)
{
    charlua_stop(life->server);
    pthread_join(life->thread, NULL);
    assert_int_equal(life->result, 0);
}

static int nothing(lua_State *L)
{
    (void)L;
    return 0;
}

/* -1, with a sentence that has `word` in it. */
static void assert_refused(struct life *life, int result, const char *word)
{
    assert_int_equal(result, -1);
    if (!strstr(charlua_error(life->server), word))
        fail_msg("'%s' does not say '%s'", charlua_error(life->server), word);
}

static void embed_set_refuses_no_name_and_no_value(void **state)
{
    struct life *life = *state;
    assert_refused(life, charlua_set(life->server, NULL, "1"), "option");
    assert_refused(life, charlua_set(life->server, "threads", NULL), "needs a value");
}

static void embed_error_is_empty_after_success(void **state)
{
    struct life *life = *state;
    assert_string_equal(charlua_error(life->server), "");
    assert_refused(life, charlua_set(life->server, "threads", "many"), "--threads");
    assert_int_equal(charlua_set(life->server, "threads", "0"), 0);
    assert_string_equal(charlua_error(life->server), "");
}

static void embed_register_refuses_what_no_script_could_call(void **state)
{
    struct life *life = *state;
    char longer[200];
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = 0;
    const char *const bad[] = {"", "a b", "1a", "a.b", "end ", "\xC3\xB1", longer};
    assert_refused(life, charlua_register(life->server, NULL, nothing, NULL), "name");
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_refused(life, charlua_register(life->server, bad[i], nothing, NULL),
                       "name");
    assert_refused(life, charlua_register(life->server, "f", NULL, NULL), "function");
}

static void embed_register_refuses_a_name_that_is_taken(void **state)
{
    struct life *life = *state;
    assert_int_equal(charlua_register(life->server, "load", nothing, NULL), 0);
    assert_refused(life, charlua_register(life->server, "load", nothing, NULL), "load");
}

static void embed_register_refuses_more_than_64(void **state)
{
    struct life *life = *state;
    char name[16];
    for (int i = 0; i < 64; i++) {
        snprintf(name, sizeof name, "f%d", i);
        assert_int_equal(charlua_register(life->server, name, nothing, NULL), 0);
    }
    assert_refused(life, charlua_register(life->server, "f", nothing, NULL), "64");
}

static void embed_register_keeps_a_copy_of_the_name(void **state)
{
    struct life *life = *state;
    char name[] = "load";
    assert_int_equal(charlua_register(life->server, name, nothing, NULL), 0);
    memset(name, 'x', sizeof name - 1);
    assert_refused(life, charlua_register(life->server, "load", nothing, NULL), "load");
}

static void embed_nothing_can_be_set_while_it_runs(void **state)
{
    struct life *life = *state;
    start(life);
    assert_refused(life, charlua_set(life->server, "script", "other.lua"), "runs");
    assert_refused(life, charlua_set(life->server, "set", "a=b"), "runs");
    assert_refused(life, charlua_register(life->server, "f", nothing, NULL), "runs");
    assert_refused(life, charlua_on_log(life->server, NULL, NULL), "runs");
    assert_refused(life, charlua_on_ready(life->server, NULL, NULL), "runs");
    assert_refused(life, charlua_on_tick(life->server, 1, NULL, NULL), "runs");
    stop(life);
}

static void refuse_in_ready(struct life *life)
{
    assert_refused(life, charlua_set(life->server, "script", "other.lua"), "runs");
    assert_refused(life, charlua_run(life->server), "runs");
    assert_true(charlua_port(life->server, 0) > 0);
    assert_int_equal(charlua_post(life->server, "lobby", "{}"), 0);
}

static void embed_ready_may_call_what_other_threads_may(void **state)
{
    struct life *life = *state;
    life->when_ready = refuse_in_ready;
    start(life);
    stop(life);
}

static void embed_runs_once(void **state)
{
    struct life *life = *state;
    start(life);
    assert_refused(life, charlua_run(life->server), "runs");
    stop(life);
    assert_refused(life, charlua_run(life->server), "once");
}

static void embed_does_not_run_again_after_it_could_not_start(void **state)
{
    struct life *life = *state;
    assert_int_equal(charlua_set(life->server, "script", "/nowhere/chat.lua"), 0);
    assert_refused(life, charlua_run(life->server), "could not be loaded");
    assert_refused(life, charlua_run(life->server), "once");
}

static void embed_test_and_inspect_do_not_work_while_it_runs(void **state)
{
    struct life *life = *state;
    start(life);
    assert_refused(life, charlua_test(life->server, life->script, NULL, NULL, NULL),
                   "runs");
    assert_refused(life, charlua_inspect(life->server, NULL, NULL), "runs");
    stop(life);
}

static void embed_is_not_freed_while_it_runs(void **state)
{
    struct life *life = *state;
    start(life);
    charlua_free(life->server);
    assert_true(charlua_port(life->server, 0) > 0);
    stop(life);
}

static void embed_a_failed_run_is_told_to_other_threads(void **state)
{
    struct life *life = *state;
    assert_int_equal(charlua_set(life->server, "script", "/nowhere/chat.lua"), 0);
    start(life);
    pthread_join(life->thread, NULL);
    assert_int_equal(life->result, -1);
    assert_non_null(strstr(charlua_error(life->server), "could not be loaded"));
}

static void embed_a_failed_post_says_why(void **state)
{
    struct life *life = *state;
    static char big[17 << 20];
    memset(big, ' ', sizeof big - 1);
    assert_refused(life, charlua_post(life->server, "lobby", "{}"), "does not run");
    start(life);
    assert_refused(life, charlua_post(life->server, "", "{}"), "room");
    assert_refused(life, charlua_post(life->server, NULL, "{}"), "room");
    assert_refused(life, charlua_post(life->server, "lobby", NULL), "text");
    assert_refused(life, charlua_post(life->server, "lobby", "\"\xFF\""), "UTF-8");
    assert_refused(life, charlua_post(life->server, "lobby", big), "16 MiB");
    assert_int_equal(charlua_post(life->server, "lobby", "{}"), 0);
    assert_string_equal(charlua_error(life->server), "");
    stop(life);
    assert_refused(life, charlua_post(life->server, "lobby", "{}"), "does not run");
}

static void fill_the_inbox(struct life *life)
{
    static char big[1 << 20];
    int posted = 0;
    memset(big, ' ', sizeof big - 1);
    while (posted < 100 && charlua_post(life->server, "lobby", big) == 0)
        posted++; /* nobody takes it out: the place is in this callback */
    assert_in_range(posted, 1, 99);
    assert_non_null(strstr(charlua_error(life->server), "later"));
}

static void embed_posts_have_a_cap(void **state)
{
    struct life *life = *state;
    life->when_ready = fill_the_inbox;
    start(life);
    stop(life);
}

static void embed_stop_before_the_run_ends_it_at_once(void **state)
{
    struct life *life = *state;
    charlua_stop(life->server);
    charlua_reload(life->server);
    start(life);
    pthread_join(life->thread, NULL);
    assert_int_equal(life->result, 0);
    charlua_stop(life->server); /* and afterwards it is nothing */
    charlua_reload(life->server);
}

/* SIGPIPE is at its default here and in the thread that calls charlua_run: it would end
 * this program. */
static void embed_lives_on_when_nobody_reads_its_standard_error(void **state)
{
    struct life *life = *state;
    int ends[2], before = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    assert_int_equal(charlua_on_log(life->server, NULL, NULL), 0);
    start(life);
    stop(life);
    dup2(before, STDERR_FILENO);
    close(before);
}

static void embed_has_no_port_but_while_it_runs(void **state)
{
    struct life *life = *state;
    assert_int_equal(charlua_port(life->server, 0), 0);
    start(life);
    assert_true(charlua_port(life->server, 0) > 0);
    assert_int_equal(charlua_port(life->server, 1), 0);
    stop(life);
    assert_int_equal(charlua_port(life->server, 0), 0);
}

/* A unix socket that the embedding program has opened. */
static void embed_has_no_port_of_a_unix_socket(void **state)
{
    struct life *life = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char spec[32];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0); /* bound to an abstract name that the kernel chooses */
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address.sun_family), 0);
    assert_int_equal(listen(fd, 1), 0);
    snprintf(spec, sizeof spec, "fd:%d", fd);
    assert_int_equal(charlua_set(life->server, "listen", spec), 0);
    start(life);
    assert_true(charlua_port(life->server, 0) > 0);
    assert_int_equal(charlua_port(life->server, 1), 0);
    stop(life);
}

static void embed_a_check_changes_no_option(void **state)
{
    struct life *life = *state;
    struct charlua *other = charlua_new();
    assert_non_null(other);
    assert_int_equal(charlua_set(other, "script", life->script), 0);
    assert_int_equal(charlua_check(other), 0); /* would listen on the usual ports */
    assert_int_equal(charlua_set(other, "listen", "127.0.0.1:0"), 0);
    assert_int_equal(charlua_set(other, "ping-interval", "10"), 0);
    assert_int_equal(charlua_check(other), 0);
    charlua_on_log(other, keep_silent, &silent_log);
    charlua_free(life->server);
    life->server = other;
    start(life);
    assert_true(charlua_port(life->server, 0) > 0);
    assert_int_equal(charlua_port(life->server, 1), 0);
    stop(life);
}

static void ignore_tick(void *context)
{
    (void)context;
}

static void embed_a_tick_takes_no_time_that_is_none(void **state)
{
    struct life *life = *state;
    const double bad[] = {0, -1, (double)NAN, (double)INFINITY, 1e300};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_refused(life, charlua_on_tick(life->server, bad[i], ignore_tick, NULL),
                       "seconds");
    assert_int_equal(charlua_on_tick(life->server, 0.5, ignore_tick, NULL), 0);
}

static void embed_asking_for_nothing_is_answered(void **state)
{
    struct life *life = *state;
    assert_int_equal(charlua_limit_reached(life->server, NULL), 0);
    assert_int_equal(charlua_limit_reached(life->server, "watch"), 0);
    assert_refused(life, charlua_test(life->server, NULL, NULL, NULL, NULL), "file");
}

#define LIFE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIFE(embed_set_refuses_no_name_and_no_value),
        LIFE(embed_error_is_empty_after_success),
        LIFE(embed_register_refuses_what_no_script_could_call),
        LIFE(embed_register_refuses_a_name_that_is_taken),
        LIFE(embed_register_refuses_more_than_64),
        LIFE(embed_register_keeps_a_copy_of_the_name),
        LIFE(embed_nothing_can_be_set_while_it_runs),
        LIFE(embed_ready_may_call_what_other_threads_may),
        LIFE(embed_runs_once),
        LIFE(embed_does_not_run_again_after_it_could_not_start),
        LIFE(embed_test_and_inspect_do_not_work_while_it_runs),
        LIFE(embed_is_not_freed_while_it_runs),
        LIFE(embed_a_failed_run_is_told_to_other_threads),
        LIFE(embed_a_failed_post_says_why),
        LIFE(embed_posts_have_a_cap),
        LIFE(embed_stop_before_the_run_ends_it_at_once),
        LIFE(embed_lives_on_when_nobody_reads_its_standard_error),
        LIFE(embed_has_no_port_but_while_it_runs),
        LIFE(embed_has_no_port_of_a_unix_socket),
        LIFE(embed_a_check_changes_no_option),
        LIFE(embed_a_tick_takes_no_time_that_is_none),
        LIFE(embed_asking_for_nothing_is_answered),
    };
    return cmocka_run_group_tests_name("embed", tests, NULL, NULL);
}
