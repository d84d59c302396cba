/* server: the program as a child: its start, its log, what it holds, its end. */
#include "torture.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 100 };

/* Where a certificate lies for as long as the server's start takes. */
static char cert[64], key[64], folder[] = "/tmp/charlua-torture-XXXXXX";

static void make_certificate(void)
{
    char command[512];
    if (!mkdtemp(folder))
        stop("no folder for a certificate");
    snprintf(cert, sizeof cert, "%s/cert.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
             "-days 2 -subj /CN=localhost -keyout %s -out %s 2>%s/log || cat %s/log >&2",
             key, cert, folder, folder);
    if (system(command) != 0 || access(cert, R_OK) < 0)
        stop("openssl made no certificate");
}

static void forget_certificate(void)
{
    char log[64];
    snprintf(log, sizeof log, "%s/log", folder);
    unlink(cert);
    unlink(key);
    unlink(log);
    rmdir(folder);
}

static void wait_until_ready(struct server *s)
{
    char text[8192];
    size_t len = 0;
    for (;;) {
        ssize_t n = read(s->log, text + len, sizeof text - 1 - len);
        if (n <= 0) {
            fwrite(text, 1, len, stderr);
            stop("the server did not start");
        }
        len += (size_t)n;
        text[len] = 0;
        const char *port = strstr(text, "127.0.0.1:");
        if (port && strstr(port, " ready")) {
            s->port = atoi(port + strlen("127.0.0.1:"));
            fcntl(s->log, F_SETFL, O_NONBLOCK);
            return;
        }
    }
}

static void become_server(char **argv, bool tls, const char *meter, int log, int socket)
{
    char *all[ARGUMENTS_MAX + 8], number[16];
    size_t n = 0;
    for (; argv[n] && n < ARGUMENTS_MAX; n++)
        all[n] = argv[n];
    all[n++] = "--listen";
    all[n++] = tls ? "tls:127.0.0.1:0" : "127.0.0.1:0";
    if (tls) {
        all[n++] = "--cert";
        all[n++] = cert;
        all[n++] = "--key";
        all[n++] = key;
    }
    all[n] = NULL;
    dup2(log, STDERR_FILENO);
    if (meter) {
        snprintf(number, sizeof number, "%d", dup(socket)); /* without O_CLOEXEC */
        setenv("METER_FD", number, 1);
        setenv("LD_PRELOAD", meter, 1);
    }
    execv(all[0], all);
    _exit(127);
}

void server_start(struct server *s, char **argv, bool tls, const char *meter)
{
    int log[2], ends[2];
    if (tls)
        make_certificate();
    if (pipe2(log, O_CLOEXEC) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 ||
        (s->pid = fork()) < 0)
        stop("cannot start the server");
    if (s->pid == 0)
        become_server(argv, tls, meter, log[1], ends[1]);
    close(log[1]);
    close(ends[1]);
    s->log = log[0];
    s->meter = ends[0];
    wait_until_ready(s);
    if (tls)
        forget_certificate();
    if (!meter) {
        close(s->meter);
        s->meter = -1;
    }
}

void server_read_log(const struct server *s)
{
    char text[4096];
    ssize_t n;
    while ((n = read(s->log, text, sizeof text)) > 0)
        fwrite(text, 1, (size_t)n, stderr);
    if (n == 0)
        stop("the server has ended");
}

int server_count_descriptors(const struct server *s)
{
    char path[64];
    int count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", s->pid);
    DIR *dir = opendir(path);
    if (!dir)
        stop("the server has gone");
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

long server_rss_kb(const struct server *s, bool peak)
{
    char path[64], line[256];
    long kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", s->pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, peak ? "VmHWM: %ld" : "VmRSS: %ld", &kb) == 1)
            break;
    if (f)
        fclose(f);
    return kb;
}

long server_in_use_kb(const struct server *s)
{
    uint64_t bytes;
    if (s->meter < 0)
        return -1;
    if (write(s->meter, "?", 1) != 1 ||
        recv(s->meter, &bytes, sizeof bytes, MSG_WAITALL) != sizeof bytes)
        stop("the meter says nothing");
    return (long)(bytes / 1024);
}

bool server_stop(struct server *s)
{
    int status = -1;
    fcntl(s->log, F_SETFL, 0);
    kill(s->pid, SIGTERM);
    bool well = waitpid(s->pid, &status, 0) == s->pid && status == 0;
    s->pid = 0;
    return well;
}
