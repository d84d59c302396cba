/* nearest: one row of the table of distances is enough, for only the last cell counts. */
#include "base/nearest.h"

#include <string.h>

enum { NAME_MAX_BYTES = 32, NEAR = 2 }; /* edits */

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* How many letters to add, take out or change. */
static int distance(const char *a, const char *b)
{
    int row[NAME_MAX_BYTES + 1], n = (int)strlen(b);
    if (strlen(a) > NAME_MAX_BYTES || n > NAME_MAX_BYTES)
        return NAME_MAX_BYTES;
    for (int j = 0; j <= n; j++)
        row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            int change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = least(change, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[n];
}

struct nearest nearest_to(const char *wanted)
{
    return (struct nearest){wanted, NULL, NEAR + 1};
}

void nearest_try(struct nearest *n, const char *name)
{
    int d = distance(n->wanted, name);
    if (d < n->edits && 2 * d <= (int)strlen(n->wanted)) {
        n->edits = d;
        n->best = name;
    }
}
