/* stderr_log: one write a line, so that lines of several threads never mix. */
#include "stderr_log.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

void stderr_log_line(const char *level, const char *line)
{
    char text[8400], stamp[32];
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    int n = snprintf(text, sizeof text, "%s.%03ldZ %-5s %s\n", stamp,
                     now.tv_nsec / 1000000, level, line);
    if (n > 0 && write(STDERR_FILENO, text, (size_t)n) < 0)
        return; /* nobody is left to tell */
}
