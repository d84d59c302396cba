/* stats.c: see stats.h. */
#include "stats.h"
#include "load.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

uint64_t clock_ns(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

/* Small ones have a bucket each; then every power of two has HISTOGRAM_SUB of them. */
void histogram_add(struct histogram *h, uint64_t ns)
{
    unsigned power = 0;
    if (ns >= 2 * HISTOGRAM_SUB)
        power = 63 - (unsigned)__builtin_clzll(ns) - 5;
    uint64_t at = power * (uint64_t)HISTOGRAM_SUB + (ns >> power);
    h->of[at < HISTOGRAM_SIZE ? at : HISTOGRAM_SIZE - 1]++;
    h->count++;
}

double histogram_at(const struct histogram *h, double part)
{
    uint64_t want = (uint64_t)(part * (double)h->count), seen = 0;
    for (uint64_t i = 0; i < HISTOGRAM_SIZE; i++) {
        seen += h->of[i];
        if (seen <= want)
            continue;
        uint64_t power = i < 2 * HISTOGRAM_SUB ? 0 : i / HISTOGRAM_SUB - 1;
        return (double)((i - power * HISTOGRAM_SUB) << power) / 1000;
    }
    return 0;
}

static uint64_t process_cpu_ns(pid_t pid)
{
    char path[300];
    uint64_t sum = 0;
    unsigned long long ns;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *dir = opendir(path);
    if (!dir)
        stop("process %d has gone", (int)pid);
    for (const struct dirent *task; (task = readdir(dir));) {
        if (task->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", (int)pid, task->d_name);
        FILE *f = fopen(path, "re");
        if (f && fscanf(f, "%llu", &ns) == 1)
            sum += ns;
        if (f)
            fclose(f);
    }
    closedir(dir);
    return sum;
}

uint64_t usage_cpu_ns(const pid_t *pids, int count)
{
    uint64_t sum = 0;
    for (int i = 0; i < count; i++)
        sum += process_cpu_ns(pids[i]);
    if (sum == 0)
        stop("this kernel has no /proc/PID/task/*/schedstat");
    return sum;
}

uint64_t usage_own_cpu_ns(void)
{
    struct timespec at;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

/* smaps_rollup counts pages; statm, on recent kernels, is late by some dozens of them. */
uint64_t usage_rss(const pid_t *pids, int count)
{
    uint64_t sum = 0;
    for (int i = 0; i < count; i++) {
        char path[64], line[256];
        unsigned long long kb = 0;
        snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pids[i]);
        FILE *f = fopen(path, "re");
        if (!f)
            stop("process %d has gone", (int)pids[i]);
        while (fgets(line, sizeof line, f))
            if (sscanf(line, "Rss: %llu", &kb) == 1)
                break;
        fclose(f);
        sum += kb * 1024;
    }
    return sum;
}
