/* stderr_log: a pipe that nobody reads holds 64 KiB; the next write to it waits for ever,
 * and with it every room. So nothing is written that standard error would not take at
 * once: poll(2) asks, and no write is longer than PIPE_BUF, which a pipe with room takes
 * whole. A line of more than that goes in pieces. When a later piece finds no room, it is
 * kept and written before anything else, so that no line is ever torn.
 *
 * Lines that find no room are lost and counted, and the next one that finds some is
 * preceded by a line with that number: 300 lines into a stopped `less` are 16 of them,
 * and "lines of the log were lost lost=284" once it moves.
 *
 * O_NONBLOCK was not chosen: it belongs to the open file, which the shell and others
 * share, and their writes would begin to fail. A queue of lines was not chosen: its cap
 * would only move the loss. Between poll and write another process that shares the pipe
 * may fill it: then a write waits until that pipe is read, as it would have for that
 * process. */
#include "stderr_log.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 8400 };

static struct {
    pthread_mutex_t lock;
    char rest[LINE_MAX_BYTES]; /* of a line that has begun */
    size_t rest_len;
    uint64_t lost;
} to = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Bytes of `text` that standard error has taken without waiting. */
static size_t write_now(const char *text, size_t len)
{
    size_t done = 0;
    while (done < len) {
        struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
        if (poll(&fd, 1, 0) != 1)
            break;
        size_t piece = len - done < PIPE_BUF ? len - done : PIPE_BUF;
        ssize_t n = write(STDERR_FILENO, text + done, piece);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    return done;
}

/* Writes a whole line, or what it can and keeps the rest, or nothing: then it is lost. */
static void put(const char *level, const char *line)
{
    char text[LINE_MAX_BYTES], stamp[32];
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    int n = snprintf(text, sizeof text, "%s.%03ldZ %-5s %s\n", stamp,
                     now.tv_nsec / 1000000, level, line);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    size_t done = write_now(text, len);
    if (done == 0)
        to.lost++;
    else
        memcpy(to.rest, text + done, to.rest_len = len - done);
}

/* Says what is owed from earlier. Returns false if that still finds no room. */
static bool settle(void)
{
    size_t done = write_now(to.rest, to.rest_len);
    to.rest_len -= done;
    memmove(to.rest, to.rest + done, to.rest_len);
    if (to.rest_len == 0 && to.lost) {
        char line[100];
        uint64_t lost = to.lost;
        snprintf(line, sizeof line, "lines of the log were lost lost=%llu",
                 (unsigned long long)lost);
        put("warn", line);
        to.lost = to.lost == lost ? 0 : lost;
    }
    return to.rest_len == 0 && to.lost == 0;
}

void stderr_log_line(const char *level, const char *line)
{
    pthread_mutex_lock(&to.lock);
    if (settle())
        put(level, line);
    else
        to.lost++;
    pthread_mutex_unlock(&to.lock);
}

void stderr_log_flush(void)
{
    pthread_mutex_lock(&to.lock);
    (void)settle();
    pthread_mutex_unlock(&to.lock);
}
