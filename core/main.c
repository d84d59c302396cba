/* main: the program `charlua`: flags, signals, exit codes; everything else is behind
 * charlua.h. */
#include "charlua.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, OPTIONS_MAX = 64, OPTION_HELP = 1000, OPTION_VERSION };

static struct charlua *server;
static int notify_fd = -1;

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
    double watchdog_us = watchdog ? strtod(watchdog, NULL) : 0;
    if (watchdog_us > 0)
        charlua_on_tick(server, watchdog_us / 4e6, on_tick, NULL);
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

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void print_help(void)
{
    size_t count;
    const struct charlua_option *options = charlua_options(&count);
    puts("Usage: charlua [serve] [OPTIONS] [SCRIPT]\n"
         "\n"
         "Serves a WebSocket chat whose rules are SCRIPT, a Lua file (default: the "
         "chat.lua that\n"
         "came with charlua). Edit it, then send SIGHUP, or start with --watch: the new "
         "rules take\n"
         "over and nobody is disconnected.\n");
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

/* Hands every flag to the server. Returns -1 to go on, or the exit status to end with. */
static int read_flags(int argc, char **argv)
{
    struct option table[OPTIONS_MAX] = {{0}};
    size_t count;
    const struct charlua_option *options = charlua_options(&count);
    for (size_t i = 0; i < count; i++)
        table[i] = (struct option){options[i].name,
                                   options[i].argument ? required_argument : no_argument,
                                   NULL, (int)i};
    table[count] = (struct option){"help", no_argument, NULL, OPTION_HELP};
    table[count + 1] = (struct option){"version", no_argument, NULL, OPTION_VERSION};
    for (int i; (i = getopt_long(argc, argv, "h", table, NULL)) != -1;) {
        if (i == OPTION_HELP || i == 'h') {
            print_help();
            return EXIT_SUCCESS;
        }
        if (i == OPTION_VERSION) {
            printf("charlua %s\n", charlua_version());
            return EXIT_SUCCESS;
        }
        if (i < 0 || i >= (int)count) {
            fputs("charlua: see charlua --help\n",
                  stderr); /* getopt has said what is wrong */
            return EXIT_USAGE;
        }
        if (charlua_set(server, options[i].name, optarg) < 0) {
            fprintf(stderr, "charlua: %s; see charlua --help\n", charlua_error(server));
            return EXIT_USAGE;
        }
    }
    return -1;
}

/* The words behind the flags: [serve] [SCRIPT]. Returns like read_flags. */
static int read_words(int argc, char **argv)
{
    if (optind < argc && strcmp(argv[optind], "serve") == 0)
        optind++;
    if (argc - optind > 1) {
        fprintf(stderr,
                "charlua: one SCRIPT is enough, '%s' is too many; see charlua --help\n",
                argv[optind + 1]);
        return EXIT_USAGE;
    }
    if (optind < argc) {
        if (access(argv[optind], R_OK) < 0) {
            fprintf(stderr,
                    "charlua: cannot read the script '%s'; say the path of a Lua file\n",
                    argv[optind]);
            return EXIT_FAILURE;
        }
        return charlua_set(server, "script", argv[optind]) < 0 ? EXIT_FAILURE : -1;
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

int main(int argc, char **argv)
{
    fill_standard_fds();
    server = charlua_new();
    if (!server) {
        fputs("charlua: out of memory or of file descriptors\n", stderr);
        return EXIT_FAILURE;
    }
    char found[PATH_MAX];
    if (find_script(found) == 0)
        (void)charlua_set(server, "script", found);
    int status = read_flags(argc, argv);
    if (status < 0)
        status = read_words(argc, argv);
    if (status < 0 && (join_systemd() < 0 || charlua_check(server) < 0)) {
        fprintf(stderr, "charlua: %s; see charlua --help\n", charlua_error(server));
        status = EXIT_USAGE;
    }
    if (status < 0) {
        catch_signals();
        status = charlua_run(server) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        if (status != EXIT_SUCCESS)
            fprintf(stderr, "charlua: %s\n", charlua_error(server));
    }
    charlua_free(server);
    return status;
}
