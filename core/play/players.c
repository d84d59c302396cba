/* players: numbers never return, as tests keep them; slots and ids do. */
#include "play/players.h"

#include "base/array.h"
#include "wire/header.h"
#include "wire/outframe.h"

#include <stdlib.h>

void players_init(struct players *p)
{
    *p = (struct players){0};
    slots_init(&p->slots);
}

void players_deinit(struct players *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        buf_deinit(&p->all[i]->heard);
        buf_deinit(&p->all[i]->reason);
        buf_deinit(&p->all[i]->response);
        free(p->all[i]);
    }
    free(p->all);
    slots_deinit(&p->slots);
}

struct player *players_add(struct players *p, bool is_request)
{
    struct player **all = array_reach(p->all, &p->cap, p->count, sizeof(struct player *));
    if (!all)
        return NULL;
    p->all = all;
    struct player *player = calloc(1, sizeof *player);
    uint64_t id = player ? slots_give(&p->slots, 0, player) : 0;
    if (id == 0) {
        free(player);
        return NULL;
    }
    *player = (struct player){.id = id, .is_request = is_request};
    return p->all[p->count++] = player;
}

void players_give_up(struct players *p, struct player *player)
{
    player->gone = true;
    slots_take_back(&p->slots, player->id);
}

int player_hear(struct player *player, const struct outframe *f)
{
    return player->gone ? 0 : buf_append(&player->heard, outframe_bytes(f));
}

bool player_take(struct player *player, struct bytes *text, bool *binary)
{
    struct ws_header header;
    struct bytes rest = bytes_skip(buf_bytes(&player->heard), player->taken);
    int len = rest.len ? ws_header_parse(rest, &header) : 0;
    if (len <= 0)
        return false;
    *text = (struct bytes){rest.at + len, (size_t)header.len};
    *binary = header.opcode == WS_BINARY;
    player->taken += (size_t)len + (size_t)header.len;
    return true;
}
