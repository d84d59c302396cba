/* visits.c: the scenarios in which nobody talks: handshake (they come and go) and idle
 * (they come and stay). */
#include "client.h"
#include "load.h"
#include "stats.h"
#include <stdio.h>
#include <stdlib.h>

static struct {
    bool more;
    uint64_t upgraded;
    int present; /* not reset yet */
    struct histogram latency;
    uint64_t progress_ns;
} visits;

/* --- handshake ----------------------------------------------------------- */

static void on_open(struct client *c)
{
    visits.upgraded++;
    histogram_add(&visits.latency, clock_ns() - c->began_ns);
    if (!client_close(c))
        stop("client %d cannot close", c->id);
}

static void on_text(struct client *c, const char *text, size_t len)
{
    stop("client %d hears %.*s", c->id, (int)len, text);
}

/* The server has answered the Close and ended the connection; the next one, please. */
static void on_end(struct client *c)
{
    visits.progress_ns = clock_ns();
    if (visits.more)
        client_dial(c);
    else
        visits.present--;
}

static void visit(struct client *clients, double seconds)
{
    uint64_t end = clock_ns() + (uint64_t)(seconds * 1e9);
    visits.more = true;
    visits.upgraded = 0;
    visits.latency = (struct histogram){0};
    visits.present = options.window;
    visits.progress_ns = clock_ns();
    for (int i = 0; i < options.window; i++) {
        clients[i].id = i;
        client_dial(&clients[i]);
    }
    while (visits.present > 0) {
        clients_turn(100000000);
        if (clock_ns() >= end)
            visits.more = false;
        if (clock_ns() - visits.progress_ns > 30000000000u)
            stop("%d connections neither open nor end", visits.present);
    }
}

void handshake_run(void)
{
    struct client *clients = calloc((size_t)options.window, sizeof *clients);
    if (!clients)
        stop("out of memory");
    clients_init((struct handlers){on_open, on_text, on_end});
    visit(clients, options.warmup);
    uint64_t cpu = usage_cpu_ns(options.pids, options.pid_count), began = clock_ns();
    visit(clients, options.seconds);
    cpu = usage_cpu_ns(options.pids, options.pid_count) - cpu;
    printf("{\"scenario\":\"%s\",\"window\":%d,\"handshakes\":%llu,\"seconds\":%.3f,"
           "\"p50_us\":%.0f,\"p99_us\":%.0f,\"p999_us\":%.0f,\"cpu_us\":%.0f,"
           "\"cpu_us_per_handshake\":%.4f,\"rss_kb\":%llu}\n",
           options.scenario, options.window, (unsigned long long)visits.upgraded,
           (double)(clock_ns() - began) * 1e-9, histogram_at(&visits.latency, 0.5),
           histogram_at(&visits.latency, 0.99), histogram_at(&visits.latency, 0.999),
           (double)cpu * 1e-3, (double)cpu * 1e-3 / (double)visits.upgraded,
           (unsigned long long)usage_rss(options.pids, options.pid_count) / 1024);
    free(clients);
}

/* --- idle ---------------------------------------------------------------- */

static int answers; /* to what ask_all asked */

static void on_answer(struct client *c, const char *text, size_t len)
{
    (void)c, (void)text, (void)len;
    answers++;
}

/* What is there when nothing has happened for a while: a server may give memory back once
 * it has nothing to do, so that it is waited for until less does not come. */
static uint64_t settled_rss(void)
{
    const uint64_t still = 1000000000, most = 10000000000u;
    uint64_t rss, least = UINT64_MAX, began = clock_ns(), since = began;
    while (clock_ns() - since < still && clock_ns() - began < most) {
        clients_turn(50000000);
        rss = usage_rss(options.pids, options.pid_count);
        if (rss < least)
            since = clock_ns();
        least = rss < least ? rss : least;
    }
    return least;
}

/* Everybody joins `count` rooms more, in which all are; member.lua answers each. */
static void ask_all(struct client *clients, int number, int count)
{
    char text[128];
    int len = snprintf(text, sizeof text, "{\"type\":\"join\",\"from\":%d,\"count\":%d}",
                       number, count);
    int asked = 0, all = options.rooms * options.members;
    uint64_t progress = clock_ns();
    for (answers = 0; answers < all;) {
        for (; asked < all && asked - answers < options.window; asked++)
            if (!client_send(&clients[asked], text, (size_t)len))
                stop("client %d cannot send", asked);
        int before = answers;
        clients_turn(1000000000);
        if (answers > before)
            progress = clock_ns();
        if (clock_ns() - progress > 10000000000u)
            stop("%d get no answer: does the server run member.lua?", all - answers);
    }
}

static double growth(uint64_t before, uint64_t after)
{
    return (double)((int64_t)after - (int64_t)before);
}

/* A few come and go first: what a server allocates once is not what a connection costs.
 */
void idle_run(void)
{
    int rooms = options.rooms, members = options.members, all = rooms * members;
    double each = 0, first = 0, membership = 0;
    options.rooms = 1;
    options.members = 200;
    struct client *clients = crowd_join(on_answer);
    if (options.memberships)
        ask_all(clients, 0, 0);
    crowd_leave(clients);
    options.rooms = rooms;
    options.members = members;

    uint64_t before = settled_rss();
    clients = crowd_join(on_answer);
    uint64_t after = settled_rss(), last = after;
    each = growth(before, after) / all;
    if (options.memberships) {
        for (int i = 0; i < 3; i++)
            ask_all(clients, 0, 0); /* what talking costs is not what a room costs */
        after = settled_rss();
        for (int i = 0; i < options.memberships; i++) {
            ask_all(clients, i, 1);
            if (i == 0)
                first = growth(after, settled_rss()) / all;
        }
        last = settled_rss();
        membership = growth(after, last) / all / options.memberships;
    }
    printf("{\"scenario\":\"%s\",\"rooms\":%d,\"members\":%d,\"login\":%s,"
           "\"connections\":%d,\"rss_before_kb\":%llu,\"rss_kb\":%llu,"
           "\"bytes_per_connection\":%.1f,\"memberships\":%d,"
           "\"bytes_first_membership\":%.1f,\"bytes_per_membership\":%.1f}\n",
           options.scenario, rooms, members, options.login ? "true" : "false", all,
           (unsigned long long)before / 1024, (unsigned long long)last / 1024, each,
           options.memberships, first, membership);
    crowd_leave(clients);
}
