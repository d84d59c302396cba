/* main: the program `charlua`: flags, signals, exit codes; everything else is behind
 * charlua.h. Longer than other files: the commands share flags and a way to complain. */
#include "charlua.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    EXIT_USAGE = 2,
    OPTIONS_MAX = 128 + 5, /* as many as the library has, and ours */
    OPTION_HELP = 1000,
    OPTION_VERSION,
    OPTION_FILTER,
    OPTION_TAP,
    COMPLAIN_MS = 1000,
};

enum command { SERVE, CHECK, TEST, COMMANDS };

static const char *const command_names[] = {
    [SERVE] = "serve", [CHECK] = "check", [TEST] = "test", [COMMANDS] = NULL};

static struct charlua *server;
static const char *filter; /* of test */
static bool tap;
static int notify_fd = -1;

/* Says what is wrong on standard error: "charlua: SENTENCE". It waits a second at most
 * for a pipe that nobody reads, for the program still has to end. */
__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
    char text[PIPE_BUF] = "charlua: ";
    size_t used = strlen(text);
    struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
    va_list args;
    va_start(args, format);
    vsnprintf(text + used, sizeof text - used - 1, format, args);
    va_end(args);
    used = strlen(text);
    text[used++] = '\n';
    if (poll(&fd, 1, COMPLAIN_MS) == 1)
        (void)!write(STDERR_FILENO, text, used);
}

/* Tells systemd (sd_notify(3)) what it wants to know, if it does. Safe in signal
 * handlers. */
static void notify(const char *state)
{
    int before = errno;
    if (notify_fd >= 0) /* one that is lost is no reason not to send the next */
        (void)!send(notify_fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT);
    errno = before;
}

static void on_ready(void *context)
{
    (void)context;
    notify("READY=1");
}

static void on_tick(void *context)
{
    (void)context;
    notify("WATCHDOG=1");
}

/* Serves under systemd as a notify service with a watchdog, listening on the sockets it
 * hands over. */
static int join_systemd(void)
{
    const char *path = getenv("NOTIFY_SOCKET"), *watchdog = getenv("WATCHDOG_USEC");
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (path && strlen(path) < sizeof to.sun_path) {
        memcpy(to.sun_path, path, strlen(path));
        socklen_t len =
            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
        if (*path == '@')
            to.sun_path[0] = 0; /* an abstract name */
        notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (notify_fd >= 0 && connect(notify_fd, (struct sockaddr *)&to, len) < 0) {
            close(notify_fd);
            notify_fd = -1;
        }
        charlua_on_ready(server, on_ready, NULL);
    }
    unsigned long long watchdog_us = watchdog ? strtoull(watchdog, NULL, 10) : 0;
    if (watchdog_us > 0 &&
        charlua_on_tick(server, (double)watchdog_us / 4e6, on_tick, NULL) < 0)
        return -1;
    long listeners =
        pid && count && strtol(pid, NULL, 10) == getpid() ? strtol(count, NULL, 10) : 0;
    for (int i = 0; i < listeners; i++) {
        char spec[32];
        snprintf(spec, sizeof spec, "fd:%d", 3 + i);
        if (charlua_set(server, "listen", spec) < 0)
            return -1;
    }
    return 0;
}

static void on_signal(int number)
{
    if (number != SIGHUP)
        notify("STOPPING=1");
    if (number == SIGHUP)
        charlua_reload(server);
    else
        charlua_stop(server);
}

/* Operators send these to programs that reopen their logs: no reason to die. */
static void ignore_signal(int number)
{
    (void)number;
}

static void catch_signals(void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    action.sa_handler = ignore_signal; /* a handler: what scripts start inherits none */
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void print_help(void)
{
    size_t count;
    const struct charlua_option *options = charlua_options(&count);
    puts("Usage: charlua [serve] [OPTIONS] [SCRIPT]\n"
         "       charlua check [OPTIONS] [SCRIPT]\n"
         "       charlua test [--filter TEXT] [--tap] [OPTIONS] FILE...\n"
         "\n"
         "Serves a WebSocket chat whose rules are SCRIPT, a Lua file (default: the "
         "chat.lua that\n"
         "came with charlua). Edit it, then send SIGHUP, or start with --watch: the new "
         "rules take\n"
         "over and nobody is disconnected.\n"
         "\n"
         "check loads SCRIPT, runs its selftest and reports what looks wrong in it. test "
         "plays\n"
         "the cases of each FILE (NAME_test.lua) against NAME.lua, without sockets and "
         "without\n"
         "waiting; --filter runs those whose names have TEXT, --tap says it in TAP.\n");
    for (size_t i = 0; i < count; i++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", options[i].name,
                 options[i].argument ? " " : "",
                 options[i].argument ? options[i].argument : "");
        printf("  %-28s %s\n", left, options[i].help);
        if (options[i].preset)
            printf("  %-28s (default: %s)\n", "", options[i].preset);
    }
    printf("  %-28s %s\n  %-28s %s\n", "--version", "print the version", "--help",
           "print this");
}

/* The rules that came with this program: scripts/chat.lua of its source tree (seen from
 * build/ or build/address/), or share/charlua/chat.lua of its installation. Returns 0
 * with the path in `out`, or -1. */
static int find_script(char out[PATH_MAX])
{
    static const char *const places[] = {"../scripts/chat.lua", "../../scripts/chat.lua",
                                         "../share/charlua/chat.lua"};
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash = n > 0 ? (self[n] = 0, strrchr(self, '/')) : NULL;
    for (size_t i = 0; slash && i < sizeof places / sizeof *places; i++) {
        char path[PATH_MAX];
        int len =
            snprintf(path, sizeof path, "%.*s/%s", (int)(slash - self), self, places[i]);
        if (len > 0 && len < (int)sizeof path && realpath(path, out))
            return 0;
    }
    return -1;
}

/* getopt knows no `flag` like this. Returns the exit status. */
static int refuse_flag(const char *flag)
{
    char name[64];
    if (strncmp(flag, "--", 2) != 0) {
        complain("there is no option -%c; see charlua --help", optopt);
        return EXIT_USAGE;
    }
    snprintf(name, sizeof name, "%.*s", (int)strcspn(flag + 2, "="), flag + 2);
    if (optopt >= OPTION_HELP || charlua_set(server, name, NULL) == 0)
        complain("--%s takes no value; see charlua --help", name);
    else
        complain("%s; see charlua --help", charlua_error(server));
    return EXIT_USAGE;
}

/* Hands every flag to the server. Returns -1 to go on, or the exit status to end with. */
static int read_flags(int argc, char **argv)
{
    opterr = 0; /* it is said in our own words */
    struct option table[OPTIONS_MAX] = {{0}};
    size_t count;
    const struct charlua_option *options = charlua_options(&count);
    for (size_t i = 0; i < count; i++)
        table[i] = (struct option){
            options[i].name, options[i].argument ? required_argument : optional_argument,
            NULL, (int)i};
    table[count + 2] = (struct option){"filter", required_argument, NULL, OPTION_FILTER};
    table[count + 3] = (struct option){"tap", no_argument, NULL, OPTION_TAP};
    table[count] = (struct option){"help", no_argument, NULL, OPTION_HELP};
    table[count + 1] = (struct option){"version", no_argument, NULL, OPTION_VERSION};
    for (int i; (i = getopt_long(argc, argv, ":h", table, NULL)) != -1;) {
        if (i == OPTION_HELP || i == 'h') {
            print_help();
            return EXIT_SUCCESS;
        }
        if (i == OPTION_VERSION) {
            printf("charlua %s\n", charlua_version());
            return EXIT_SUCCESS;
        }
        tap |= i == OPTION_TAP;
        filter = i == OPTION_FILTER ? optarg : filter;
        if (i == OPTION_FILTER || i == OPTION_TAP)
            continue;
        if (i == ':' && optopt >= OPTION_HELP) {
            complain("--filter needs a value: TEXT; see charlua --help");
            return EXIT_USAGE;
        }
        if (i == '?')
            return refuse_flag(argv[optind - 1]);
        const char *name = options[i == ':' ? optopt : i].name;
        if (charlua_set(server, name, i == ':' ? NULL : optarg) < 0) {
            complain("%s; see charlua --help", charlua_error(server));
            return EXIT_USAGE;
        }
    }
    return -1;
}

/* The word behind the flags: [SCRIPT]. Returns like read_flags. */
static int read_script(int argc, char **argv)
{
    if (argc - optind > 1) {
        complain("one SCRIPT is enough, '%s' is too many (serve, check or test comes "
                 "first); see charlua --help",
                 argv[optind + 1]);
        return EXIT_USAGE;
    }
    if (optind < argc) {
        if (access(argv[optind], R_OK) < 0) {
            complain("cannot read the script '%s'; say the path of a Lua file",
                     argv[optind]);
            return EXIT_FAILURE;
        }
        if (charlua_set(server, "script", argv[optind]) < 0) {
            complain("%s", charlua_error(server));
            return EXIT_FAILURE;
        }
    }
    return -1;
}

/* Whoever starts us may have closed 0, 1 or 2: the log would go to what opens as 2 next.
 */
static void fill_standard_fds(void)
{
    int fd;
    while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO)
        ;
    if (fd >= 0)
        close(fd);
}

/* The word behind the flags that says what to do, if there is one; it is taken. */
static enum command read_command(int argc, char **argv)
{
    for (int i = SERVE; optind < argc && i < COMMANDS; i++) {
        if (strcmp(argv[optind], command_names[i]) == 0) {
            optind++;
            return (enum command)i;
        }
    }
    return SERVE;
}

/* A word where a command could stand is a path if the file is there, or if it looks like
 * one; else it is a mistake. Returns like read_flags. */
static int refuse_word(const char *word)
{
    size_t len = strlen(word);
    if (access(word, F_OK) == 0 || strchr(word, '/') ||
        (len > 4 && strcmp(word + len - 4, ".lua") == 0))
        return -1;
    const char *near = charlua_nearest(word, command_names);
    complain("there is no command and no file '%s'; %s%s%sthe commands are serve, check "
             "and test; see charlua --help",
             word, near ? "did you mean " : "", near ? near : "", near ? "? " : "");
    return EXIT_USAGE;
}

/* --- charlua test -------------------------------------------------------- */

struct tally {
    const char *file;
    unsigned passed, failed;
};

/* Prints the lines of `text`, each but the first behind `margin`. */
static void print_lines(const char *margin, const char *text)
{
    size_t len = strcspn(text, "\n");
    printf("%.*s\n", (int)len, text);
    for (text += len; *text; text += len) {
        len = strcspn(++text, "\n");
        printf("%s%.*s\n", margin, (int)len, text);
    }
}

static void print_case(void *context, const struct charlua_case *result)
{
    struct tally *tally = context;
    const char *error = result->error;
    *(error ? &tally->failed : &tally->passed) += 1;
    unsigned number = tally->passed + tally->failed;
    if (!tap)
        printf("%s %s\n", error ? "FAIL" : "ok  ", result->name);
    else
        printf("%s %u - %s: %s\n", error ? "not ok" : "ok", number, tally->file,
               result->name);
    if (!error)
        return;
    printf(tap ? "  ---\n  at: %s:%d\n  message: |\n    " : "%s:%d: ", tally->file,
           result->line);
    print_lines("    ", error);
    if (tap)
        puts("  ...");
}

static void drop_line(void *context, const char *level, const char *line)
{
    (void)context, (void)level, (void)line;
}

static int test(int files, char **file)
{
    struct tally tally = {0};
    setvbuf(stdout, NULL, _IOLBF, 0); /* a line each case, through a pipe, too */
    setenv("TZ", "UTC0", 1); /* times that rules make into text are the same everywhere */
    charlua_on_log(server, drop_line, NULL);
    if (tap)
        puts("TAP version 13");
    for (int i = 0; i < files; i++) {
        tally.file = file[i];
        if (!tap)
            printf("== %s\n", file[i]);
        if (charlua_test(server, file[i], filter, print_case, &tally) < 0) {
            fflush(stdout);
            complain("%s", charlua_error(server));
            tally.failed++;
        }
    }
    if (tally.passed + tally.failed == 0)
        complain("no case was run; %s",
                 filter ? "no name has what --filter says" : "say charlua test FILE...");
    if (tap)
        printf("1..%u\n# ", tally.passed + tally.failed);
    printf("%u passed, %u failed\n", tally.passed, tally.failed);
    return tally.failed || !tally.passed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void print_finding(void *context, const struct charlua_finding *finding)
{
    unsigned *counts = context; /* warnings, errors */
    counts[finding->is_error]++;
    printf("%s:%d: %s: %s\n", finding->file, finding->line ? finding->line : 1,
           finding->is_error ? "error" : "warning", finding->message);
}

static int check(void)
{
    unsigned counts[2] = {0};
    if (charlua_inspect(server, print_finding, counts) < 0) {
        complain("%s", charlua_error(server));
        return EXIT_FAILURE;
    }
    printf("%u errors, %u warnings\n", counts[1], counts[0]);
    return counts[1] ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int serve(void)
{
    if (join_systemd() < 0 || charlua_check(server) < 0) {
        complain("%s; see charlua --help", charlua_error(server));
        return EXIT_USAGE;
    }
    catch_signals(on_signal);
    int result = charlua_run(server);
    catch_signals(SIG_IGN); /* there will be no server to tell */
    if (result < 0) {
        complain("%s", charlua_error(server));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    fill_standard_fds();
    server = charlua_new();
    if (!server) {
        complain("out of memory or of file descriptors");
        return EXIT_FAILURE;
    }
    char found[PATH_MAX];
    if (find_script(found) == 0)
        (void)charlua_set(server, "script", found);
    int status = read_flags(argc, argv), words = optind;
    enum command command = read_command(argc, argv);
    if (status < 0 && words == optind && words < argc)
        status = refuse_word(argv[words]);
    if (status < 0 && command != TEST && (filter || tap)) {
        complain("--filter and --tap belong to charlua test; see charlua --help");
        status = EXIT_USAGE;
    }
    if (status < 0 && command == TEST)
        status = test(argc - optind, argv + optind);
    if (status < 0)
        status = read_script(argc, argv);
    if (status < 0)
        status = command == CHECK ? check() : serve();
    charlua_free(server);
    return status;
}
