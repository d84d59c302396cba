/* bare.c: the yardstick. What does the kernel alone take to send frames to a thousand
 * connections? A process writes to each in turn, as a broadcast would, K frames a write,
 * while another one reads; there is no protocol, no event loop and no message. Prints
 * what a frame costs the writer in processor time. bare CONNECTIONS FRAMES_A_WRITE
 * SECONDS The writer is at most AHEAD frames a connection ahead of the reader, which
 * tells it by a byte on the last connection: so servers wait in a closed loop. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FRAME = 150, BATCH_MAX = 64, AHEAD = 16 };

static void stop(const char *what)
{
    perror(what);
    exit(1);
}

static double seconds(clockid_t clock)
{
    struct timespec at;
    clock_gettime(clock, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

/* The other process: connects, and reads whatever comes until the end. For every `unit`
 * bytes on the last connection, when all others have theirs before, it gives one back. */
static void read_all(struct sockaddr_in to, int count, size_t unit)
{
    static char bytes[256 * 1024];
    struct epoll_event events[1024];
    int epoll = epoll_create1(0), open = count, last = -1;
    size_t ahead = 0;
    for (int i = 0; i < count; i++) {
        int fd = last = socket(AF_INET, SOCK_STREAM, 0);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0 ||
            epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
            stop("bare: connect");
    }
    while (open > 0) {
        int n = epoll_wait(epoll, events, 1024, -1);
        for (int i = 0; i < n; i++) {
            ssize_t got = recv(events[i].data.fd, bytes, sizeof bytes, 0);
            if (got <= 0) {
                epoll_ctl(epoll, EPOLL_CTL_DEL, events[i].data.fd, NULL);
                open--;
            } else if (events[i].data.fd == last) {
                size_t whole = (ahead + (size_t)got) / unit;
                ahead = (ahead + (size_t)got) % unit;
                (void)!send(last, bytes, whole, MSG_NOSIGNAL);
            }
        }
    }
    exit(0);
}

static int listen_anywhere(struct sockaddr_in *at)
{
    socklen_t size = sizeof *at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    *at = (struct sockaddr_in){.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0 || bind(fd, (struct sockaddr *)at, sizeof *at) < 0 ||
        listen(fd, 1024) < 0 || getsockname(fd, (struct sockaddr *)at, &size) < 0)
        stop("bare: listen");
    return fd;
}

/* Writes for so long; returns how many frames. */
static uint64_t write_all(const int *fds, int count, int batch, double time)
{
    static char bytes[FRAME * BATCH_MAX];
    char back[AHEAD];
    size_t len = (size_t)(FRAME * batch);
    int ahead = 0, most = AHEAD / batch > 1 ? AHEAD / batch : 1;
    uint64_t frames = 0;
    for (double end = seconds(CLOCK_MONOTONIC) + time; seconds(CLOCK_MONOTONIC) < end;) {
        for (int i = 0; i < count; i++)
            if (send(fds[i], bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
                stop("bare: send");
        frames += (uint64_t)(count * batch);
        for (ahead++; ahead >= most;) {
            ssize_t n = recv(fds[count - 1], back, sizeof back, 0);
            if (n <= 0)
                stop("bare: recv");
            ahead -= (int)n;
        }
    }
    for (ssize_t n; ahead > 0; ahead -= (int)n)
        if ((n = recv(fds[count - 1], back, sizeof back, 0)) <= 0)
            stop("bare: recv");
    return frames;
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 0, batch = argc > 2 ? atoi(argv[2]) : 0,
        on = 1;
    double time = argc > 3 ? atof(argv[3]) : 0;
    struct sockaddr_in at;
    struct rlimit files;
    if (count < 1 || batch < 1 || batch > BATCH_MAX || time <= 0) {
        fprintf(stderr, "usage: bare CONNECTIONS FRAMES_A_WRITE SECONDS\n");
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    int listener = listen_anywhere(&at), *fds = calloc((size_t)count, sizeof *fds);
    pid_t reader = fork();
    if (reader < 0 || !fds)
        stop("bare");
    if (reader == 0) {
        close(listener);
        read_all(at, count, (size_t)(FRAME * batch));
    }
    for (int i = 0; i < count; i++) {
        if ((fds[i] = accept(listener, NULL, NULL)) < 0)
            stop("bare: accept");
        setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    write_all(fds, count, batch, time / 4);
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), began = seconds(CLOCK_MONOTONIC);
    uint64_t frames = write_all(fds, count, batch, time);
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("{\"scenario\":\"bare\",\"connections\":%d,\"frames_a_write\":%d,"
           "\"deliveries\":%llu,\"seconds\":%.3f,\"cpu_us\":%.0f,"
           "\"cpu_us_per_delivery\":%.4f}\n",
           count, batch, (unsigned long long)frames, seconds(CLOCK_MONOTONIC) - began,
           cpu * 1e6, cpu * 1e6 / (double)frames);
    for (int i = 0; i < count; i++)
        close(fds[i]);
    waitpid(reader, NULL, 0);
    return 0;
}
