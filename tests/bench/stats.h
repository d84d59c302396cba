/* stats.h: the clock, a histogram of latencies, and what the server has used: processor
 * time and memory, as the kernel accounts for it. Does not know what is measured. */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stdint.h>
#include <sys/types.h>

/* Nanoseconds, monotonic. */
uint64_t clock_ns(void);

/* Buckets are at most 1/32 wide: what a percentile says is right within 3 %. */
enum { HISTOGRAM_SUB = 32, HISTOGRAM_SIZE = 60 * HISTOGRAM_SUB };

struct histogram {
    uint64_t count;
    uint64_t of[HISTOGRAM_SIZE];
};

void histogram_add(struct histogram *h, uint64_t ns);
/* In microseconds; `part` is 0.5 for the median. 0 if it is empty. */
double histogram_at(const struct histogram *h, double part);

/* Processor time, user and system, of all threads of these processes so far, in
 * nanoseconds. A thread that has ended is forgotten: the servers here end none. */
uint64_t usage_cpu_ns(const pid_t *pids, int count);
/* This process's own. */
uint64_t usage_own_cpu_ns(void);
/* Resident memory in bytes, all processes together. */
uint64_t usage_rss(const pid_t *pids, int count);

#endif
