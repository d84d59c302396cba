/* stderr_log: lines of the log onto standard error.
 * Does not know: who logs, levels.
 * Thread: any.
 * Owner: the process, whose standard error it is. */
#ifndef CHARLUA_STDERR_LOG_H
#define CHARLUA_STDERR_LOG_H

/* Writes the line with the time and `level` before it. */
void stderr_log_line(const char *level, const char *line);

#endif
