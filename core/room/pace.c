/* pace: The problem: under load a large room always has one message more. Written to
 * everybody at once, each message costs a write a member, and a room of 1,000 keeps its
 * thread busy with nothing else.
 *
 * The idea: after all of it was written to, the room rests for PAUSE_FACTOR times what
 * that takes. What it is told meanwhile shares the next write (room/bundle), so a room
 * has a third of its thread at most, whatever is said in it. With 2 us a peer, 1,000
 * members are written to for 2 ms and rest for 4. For 50 members the rest would be
 * 200 us, which is not worth a timer: they are not left alone at all (PAUSE_MIN). Nor
 * does a room wait that has been quiet for longer than its rest: somebody who says one
 * thing is heard at once.
 *
 * A pause of a fixed length would be right for one size of room. PAUSE_MAX keeps the
 * delay below what people notice; WRITE_MAX keeps one slow socket from being taken for
 * the room. */
#include "room/pace.h"

enum { WORTH_TIMING = 32 }; /* peers written to in one turn */

static const double PAUSE_FACTOR = 2, PAUSE_MAX = 0.005, PAUSE_MIN = 0.0003;

/* What takes longer than this for one peer is not its room's fault. */
static const double WRITE_MAX = 0.00002;

void pace_measure(struct pace *p, double seconds, uint32_t count)
{
    if (count < WORTH_TIMING)
        return;
    double each = seconds / count;
    p->seconds += ((each < WRITE_MAX ? each : WRITE_MAX) - p->seconds) / 8;
}

double pace_rest(const struct pace *p, uint32_t members)
{
    double takes = p->seconds * members, pause = PAUSE_FACTOR * takes;
    if (pause < PAUSE_MIN)
        return 0;
    return takes + (pause < PAUSE_MAX ? pause : PAUSE_MAX);
}
