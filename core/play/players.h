/* players: the made-up clients and requests of a play, in the slots that a shard would
 * give them (room/slots.c), so that rules and host meet here whatever ids they would meet
 * there. Does not know: the host, mail, time. Thread: the caller's. Owner: the play,
 * which embeds it. */
#ifndef CHARLUA_PLAY_PLAYERS_H
#define CHARLUA_PLAY_PLAYERS_H

#include "base/buf.h"
#include "room/slots.h"

#include <stdbool.h>

struct outframe;

struct player {
    uint64_t id;
    struct buf heard; /* WebSocket frames, as they would go out */
    size_t taken;     /* bytes of them */
    bool is_request, admitted, gone;
    uint16_t code; /* the server's Close, or the status of the response to its request */
    struct buf reason;
    struct buf response; /* as MAIL_RESPONSE has it */
};

struct players {
    struct slots slots;
    struct player **all; /* by number; who has gone stays, with what it has heard */
    uint32_t count, cap;
};

void players_init(struct players *p);
void players_deinit(struct players *p);

/* One more, whose number is p->count before. NULL when memory or slots are out. */
struct player *players_add(struct players *p, bool is_request);

/* The player of that id, or NULL when it has gone. */
static inline struct player *players_find(const struct players *p, uint64_t id)
{
    return slots_find(&p->slots, id);
}

/* Its connection is there no more: somebody else may have the slot. */
void players_give_up(struct players *p, struct player *player);

/* It hears `f`, unless it has gone. Returns 0, or -1 when memory is out. */
int player_hear(struct player *player, const struct outframe *f);

/* Takes the next message that it has heard: true, with the payload, valid until it hears
 * more.
 */
bool player_take(struct player *player, struct bytes *text, bool *binary);

#endif
