/* stderr_log: lines of the log onto standard error, without ever waiting for it.
 * Does not know: who logs, levels.
 * Thread: any.
 * Owner: the process, whose standard error it is. */
#ifndef CHARLUA_STDERR_LOG_H
#define CHARLUA_STDERR_LOG_H

/* Writes the line with the time and `level` before it. A line that standard error does
 * not take now is lost and counted. */
void stderr_log_line(const char *level, const char *line);

/* Logs how many lines were lost, if any were and standard error takes lines again. Call
 * it now and then: otherwise the next line says it. */
void stderr_log_flush(void);

#endif
