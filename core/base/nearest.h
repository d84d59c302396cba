/* nearest: the name that was probably meant, by edit distance (Levenshtein).
 * Does not know: what the names are of.
 * Thread: any.
 * Owner: the caller's memory. */
#ifndef CHARLUA_BASE_NEAREST_H
#define CHARLUA_BASE_NEAREST_H

struct nearest {
    const char *wanted;
    const char *best; /* so far; NULL: none is near */
    int edits;        /* from `wanted` to it */
};

/* Nothing has been tried yet. */
struct nearest nearest_to(const char *wanted);

/* Keeps `name` as the best if it is nearer: at most two letters to add, take out or
 * change, and at most half of those that `wanted` has. */
void nearest_try(struct nearest *n, const char *name);

#endif
