/* torture: starts a server and throws thousands of clients at it, most of them healthy,
 * the rest dying, deaf or talking garbage. The healthy chat in rooms with numbered
 * messages: each must hear every message of every other one in its room once and in
 * order. Afterwards all leave, and the server must have as many descriptors as before. */
#include "torture.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum {
    JOINING_MAX = 200, /* on their way in at once */
    SAYING_MAX = 200,  /* that wait for their own words at once */
    CHURN = 4,         /* so many says to one that dies or talks garbage */
    STALL_S = 90,      /* without any progress, this is over */
};

struct torture t = {.count = 500, .waves = 1, .messages = 10};

double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

uint32_t random_below(uint32_t n)
{
    static uint64_t random = 1;
    random = random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random >> 33) % n;
}

void stop(const char *why)
{
    fprintf(stderr, "torture: %s (joined %d of %d, saying %d, says %llu, heard %llu)\n",
            why, t.joined, t.count, t.saying, (unsigned long long)t.says,
            (unsigned long long)t.deliveries);
    if (t.server.pid > 0)
        kill(t.server.pid, SIGKILL);
    exit(1);
}

static void turn(void)
{
    struct epoll_event events[512];
    int n = epoll_wait(t.epoll, events, 512, 20);
    for (int i = 0; i < n; i++)
        if (events[i].data.ptr)
            client_on_event(events[i].data.ptr, events[i].events);
        else
            server_read_log(&t.server);
    if (now() - t.progress > STALL_S)
        stop("nothing moves any more");
}

/* One that dies, or comes back to talk garbage. */
static void churn(void)
{
    struct client *c =
        &t.clients[random_below((uint32_t)t.count / 10) * 10 + random_below(3)];
    if (c->kind == DYING && c->state == JOINED)
        client_die(c);
    if (c->state != GONE)
        return;
    t.garbage += c->kind == GARBAGE;
    client_dial(c);
}

static void report(double *next, double every)
{
    double at = now() - t.began;
    if (!t.csv || at < *next)
        return;
    printf("%5.0f s  rss %6ld kB  joined %5d  says %7llu  heard %9llu  deaths %llu  "
           "garbage %llu\n",
           at, server_rss_kb(&t.server, false), t.joined, (unsigned long long)t.says,
           (unsigned long long)t.deliveries, (unsigned long long)t.deaths,
           (unsigned long long)t.garbage);
    fflush(stdout);
    fprintf(t.csv, "%.0f,%ld,%d,%llu,%llu\n", at, server_rss_kb(&t.server, false),
            t.joined, (unsigned long long)t.says, (unsigned long long)t.deliveries);
    fflush(t.csv);
    *next += every;
}

static void everybody_joins(void)
{
    for (int next = 0; next < t.count || t.joining > 0;) {
        while (next < t.count && t.joining < JOINING_MAX)
            client_dial(&t.clients[next++]);
        turn();
    }
}

/* In turns, each when its last words have come back; `rate` a second if that is given. */
static void everybody_talks(void)
{
    uint64_t goal = (uint64_t)t.messages * (uint64_t)t.healthy;
    double began = t.began = now(), next = 0;
    uint64_t first = t.says, churned = t.says;
    for (int at = 0, skipped = 0;
         t.seconds ? now() - began < t.seconds : t.says - first < goal;) {
        double due = t.rate ? (now() - began) * t.rate : 1e18;
        for (skipped = 0; t.saying < SAYING_MAX && skipped < t.count;
             at = (at + 1) % t.count) {
            struct client *c = &t.clients[at];
            skipped++;
            if ((double)(t.says - first) >= due || (!t.seconds && t.says - first >= goal))
                break;
            if (c->kind != HEALTHY || c->saying || c->state != JOINED)
                continue;
            client_say(c);
        }
        for (; churned + CHURN <= t.says; churned += CHURN)
            churn();
        turn();
        report(&next, 10);
    }
}

/* Every say was heard by all the healthy of its room. */
static bool is_all_heard(void)
{
    for (int i = 0; i < t.count; i++) {
        struct client *c = &t.clients[i], *room = &t.clients[i / ROOM * ROOM];
        for (int k = 0; c->kind == HEALTHY && k < ROOM && room + k < t.clients + t.count;
             k++)
            if (room[k].kind == HEALTHY && c->heard[k] != room[k].said)
                return false;
    }
    return true;
}

static void everybody_leaves(void)
{
    for (int i = 0; i < t.count; i++) {
        struct client *c = &t.clients[i];
        if (c->kind != HEALTHY)
            client_hang_up(c, true);
        else if (c->state == JOINED)
            client_leave(c);
    }
    t.progress = now();
    while (t.joined > 0)
        turn();
}

static void parse(int argc, char **argv, char ***server)
{
    int option;
    while ((option = getopt(argc, argv, "+c:w:m:s:r:o:p:tz")) > 0)
        switch (option) {
        case 'c':
            t.count = atoi(optarg) / ROOM * ROOM;
            break;
        case 'w':
            t.waves = atoi(optarg);
            break;
        case 'm':
            t.messages = atoi(optarg);
            break;
        case 's':
            t.seconds = atoi(optarg);
            break;
        case 'r':
            t.rate = atoi(optarg);
            break;
        case 'o':
            t.csv = fopen(optarg, "we");
            break;
        case 'p':
            t.meter = optarg;
            break;
        case 't':
            t.tls = true;
            break;
        case 'z':
            t.deflate = true;
            break;
        default:
            optind = argc;
        }
    *server = argv + optind;
    if (optind < argc && t.count > 0)
        return;
    fprintf(stderr, "usage: torture [-c CLIENTS] [-w WAVES] [-m MESSAGES | -s SECONDS] "
                    "[-r SAYS_A_SECOND] [-o CSV] [-p METER] [-t] [-z] "
                    "SERVER [ARGUMENT...]\n"
                    "-t: over TLS; -z: with permessage-deflate\n");
    exit(2);
}

static void print_memory(const long rss[4], long in_use_before)
{
    printf("torture: rss kB: %ld before, %ld with all, %ld after the talk, %ld when all "
           "had left, %ld at most",
           rss[0], rss[1], rss[2], rss[3], server_rss_kb(&t.server, true));
    if (t.meter)
        printf("; in use kB: %ld before, %ld when all had left", in_use_before,
               server_in_use_kb(&t.server));
}

/* All come, talk and leave; then the server has as many descriptors as before. */
static void wave(int descriptors)
{
    struct torture before = t;
    long in_use = server_in_use_kb(&t.server), rss[4];
    rss[0] = server_rss_kb(&t.server, false);
    t.began = t.progress = now();
    everybody_joins();
    rss[1] = server_rss_kb(&t.server, false);
    double joined_in = now() - t.began;
    everybody_talks();
    double talked = now() - t.began;
    while (!is_all_heard() && !t.faults)
        turn();
    rss[2] = server_rss_kb(&t.server, false);
    everybody_leaves();
    while (server_count_descriptors(&t.server) != descriptors)
        turn();
    rss[3] = server_rss_kb(&t.server, false);

    printf("torture: %d clients%s, %d of them healthy: joined in %.1f s; in %.1f s said "
           "%llu, heard %llu, died %llu, talked garbage %llu\n",
           t.count, t.tls ? " over TLS" : "", t.healthy, joined_in, talked,
           (unsigned long long)(t.says - before.says),
           (unsigned long long)(t.deliveries - before.deliveries),
           (unsigned long long)(t.deaths - before.deaths),
           (unsigned long long)(t.garbage - before.garbage));
    if (t.deflate)
        printf("torture: compressed: said %llu, heard %llu of %llu kB in %llu kB\n",
               (unsigned long long)(t.packed - before.packed),
               (unsigned long long)(t.unpacked - before.unpacked),
               (unsigned long long)(t.unpacked_to - before.unpacked_to) / 1024,
               (unsigned long long)(t.unpacked_from - before.unpacked_from) / 1024);
    print_memory(rss, in_use);
    printf("; descriptors: %d before, %d after\n", descriptors,
           server_count_descriptors(&t.server));
    fflush(stdout);
    /* Most contents are long enough for --deflate-min, all in all. */
    if (t.deflate &&
        (t.unpacked - before.unpacked < (t.deliveries - before.deliveries) / 3 ||
         t.packed == before.packed))
        stop("too few messages came compressed");
}

int main(int argc, char **argv)
{
    char **server;
    struct epoll_event log = {.events = EPOLLIN};
    parse(argc, argv, &server);
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    t.epoll = epoll_create1(EPOLL_CLOEXEC);
    t.clients = calloc((size_t)t.count, sizeof *t.clients);
    if (!t.clients)
        stop("out of memory");
    for (int i = 0; i < t.count; i++) {
        t.clients[i] = (struct client){
            .wire.fd = -1, .kind = i % 10 < 3 ? (enum kind)(i % 10) : HEALTHY};
        t.healthy += t.clients[i].kind == HEALTHY;
    }
    server_start(&t.server, server, t.tls, t.meter);
    epoll_ctl(t.epoll, EPOLL_CTL_ADD, t.server.log, &log);
    int descriptors = server_count_descriptors(&t.server);
    t.began = t.progress = now();
    if (t.csv)
        fprintf(t.csv, "seconds,rss_kb,joined,says,heard\n");

    for (int i = 0; i < t.waves; i++)
        wave(descriptors);
    if (!server_stop(&t.server))
        stop("the server did not end in order");
    if (t.faults)
        stop("a healthy client had to suffer");
    return 0;
}
