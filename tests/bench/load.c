/* load.c: throws clients at a server that runs already, and says what that cost the
 * server. One scenario a run, a line of JSON for each measurement; status 1 when a
 * message was lost, doubled or out of order. One thread, one epoll. */
#include "load.h"
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct options options = {
    .scenario = "fanout",
    .login = true,
    .loops = "closed",
    .warmup = 1,
    .seconds = 3,
    .window = 64,
    .memberships = 0,
};

/* What a scenario is, if nothing else is said. */
static const struct preset {
    const char *name;
    int rooms, members, senders;
    void (*run)(void);
} PRESETS[] = {
    {"fanout", 1, 1000, 10, chat_run}, {"rooms", 100, 10, 1, chat_run},
    {"echo", 100, 1, 1, chat_run},     {"handshake", 64, 1, 1, handshake_run},
    {"idle", 1000, 10, 1, idle_run},
};

static const char USAGE[] =
    "usage: load --port PORT --pid PID... [OPTIONS]\n"
    "  --scenario NAME     fanout, rooms, echo, handshake or idle\n"
    "  --dialect NAME      charlua, or plain: what is said comes back as it was\n"
    "  --rooms N --members N --senders N   instead of the scenario's own\n"
    "  --loops LIST        closed, or messages a second; one measurement each\n"
    "  --warmup SECONDS --seconds SECONDS  of each measurement\n"
    "  --warm-messages N --messages N      so many instead of so long\n"
    "  --lockstep          the next message when all have heard the last\n"
    "  --window N          connections on their way in at once\n"
    "  --memberships N     idle: then everybody joins so many more rooms (member.lua)\n"
    "  --no-login          idle: upgraded only\n"
    "  --quiet             nobody is told who logs in (member.lua, ws_server.mjs)\n"
    "  --tls --deflate     encrypted, compressed\n";

void stop(const char *format, ...)
{
    va_list args;
    fprintf(stderr, "load: %s: ", options.scenario);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static _Noreturn void usage(void)
{
    fputs(USAGE, stderr);
    exit(2);
}

static const struct preset *find_preset(const char *name)
{
    for (size_t i = 0; i < sizeof PRESETS / sizeof *PRESETS; i++)
        if (strcmp(PRESETS[i].name, name) == 0)
            return &PRESETS[i];
    usage();
}

static int positive(const char *text)
{
    int value = atoi(text);
    if (value <= 0)
        usage();
    return value;
}

enum order {
    SCENARIO = 1,
    DIALECT,
    PORT,
    PID,
    ROOMS,
    MEMBERS,
    SENDERS,
    LOOPS,
    WARMUP,
    SECONDS,
    WARM_MESSAGES,
    MESSAGES,
    LOCKSTEP,
    WINDOW,
    MEMBERSHIPS,
    NO_LOGIN,
    QUIET,
    TLS,
    DEFLATE,
};

static const struct option LONG[] = {
    {"scenario", 1, NULL, SCENARIO},
    {"dialect", 1, NULL, DIALECT},
    {"port", 1, NULL, PORT},
    {"pid", 1, NULL, PID},
    {"rooms", 1, NULL, ROOMS},
    {"members", 1, NULL, MEMBERS},
    {"senders", 1, NULL, SENDERS},
    {"loops", 1, NULL, LOOPS},
    {"warmup", 1, NULL, WARMUP},
    {"seconds", 1, NULL, SECONDS},
    {"warm-messages", 1, NULL, WARM_MESSAGES},
    {"messages", 1, NULL, MESSAGES},
    {"lockstep", 0, NULL, LOCKSTEP},
    {"window", 1, NULL, WINDOW},
    {"memberships", 1, NULL, MEMBERSHIPS},
    {"no-login", 0, NULL, NO_LOGIN},
    {"quiet", 0, NULL, QUIET},
    {"tls", 0, NULL, TLS},
    {"deflate", 0, NULL, DEFLATE},
    {NULL, 0, NULL, 0},
};

/* Longer than others: an option after the other. */
static void set(int option, char *value)
{
    switch (option) {
    case SCENARIO:
        options.scenario = value;
        break;
    case DIALECT:
        options.dialect = strcmp(value, "plain") == 0 ? PLAIN : CHARLUA;
        break;
    case PORT:
        options.port = positive(value);
        break;
    case PID:
        if (options.pid_count == sizeof options.pids / sizeof *options.pids)
            usage();
        options.pids[options.pid_count++] = positive(value);
        break;
    case ROOMS:
        options.rooms = positive(value);
        break;
    case MEMBERS:
        options.members = positive(value);
        break;
    case SENDERS:
        options.senders = positive(value);
        break;
    case LOOPS:
        options.loops = value;
        break;
    case WARMUP:
        options.warmup = atof(value);
        break;
    case SECONDS:
        options.seconds = atof(value);
        break;
    case WARM_MESSAGES:
        options.warm_messages = (uint64_t)positive(value);
        break;
    case MESSAGES:
        options.messages = (uint64_t)positive(value);
        break;
    case LOCKSTEP:
        options.lockstep = true;
        break;
    case WINDOW:
        options.window = positive(value);
        break;
    case MEMBERSHIPS:
        options.memberships = positive(value);
        break;
    case NO_LOGIN:
        options.login = false;
        break;
    case QUIET:
        options.quiet = true;
        break;
    case TLS:
        options.tls = true;
        break;
    case DEFLATE:
        options.deflate = true;
        break;
    default:
        usage();
    }
}

int main(int argc, char **argv)
{
    int option;
    struct rlimit files;
    while ((option = getopt_long(argc, argv, "", LONG, NULL)) >= 0)
        set(option, optarg);
    const struct preset *preset = find_preset(options.scenario);
    if (optind < argc || !options.port || !options.pid_count)
        usage();
    if (!options.rooms)
        options.rooms = preset->rooms;
    if (!options.members)
        options.members = preset->members;
    if (!options.senders)
        options.senders = preset->senders;
    if (options.senders > options.members)
        options.senders = options.members;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
    preset->run();
    return 0;
}
