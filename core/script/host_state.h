/* host_state: the host's struct, what it keeps in Lua's registry, and the making of both.
 * Does not know: what happens to it; nobody outside of script/ includes it.
 * Thread: the host's.
 * Owner: host_state.c makes and frees it. */
#ifndef CHARLUA_SCRIPT_HOST_STATE_H
#define CHARLUA_SCRIPT_HOST_STATE_H

#include "base/list.h"
#include "lua/loader.h"
#include "lua/vm.h"
#include "script/garbage.h"
#include "script/host.h"
#include "script/timers.h"
#include "script/world.h"
#include "wire/routes.h"

enum run_kind {
    RUN_OPEN,
    RUN_MESSAGE,
    RUN_CLOSE,
    RUN_TIMER,
    RUN_EVENT,
    RUN_REQUEST,
    RUN_RESUME
};

enum { HANDLER_NAME_MAX = 64 };

/* A plain HTTP request whose handler has not ended. */
struct asked {
    uint64_t id;       /* of its connection */
    struct task *task; /* of its handler that waits, or NULL */
    bool gone;         /* nobody waits for the response any more */
    bool owed;         /* memory was too short for its response: it gets a 500 later */
    char route[ROUTE_KEY_MAX + 1];
};

/* What the registry holds for us, by the address of its byte in struct host. */
enum host_key_name {
    KEY_APP,     /* the table that the script returned */
    KEY_DECODE,  /* cjson's decode: value, or nil and a reason */
    KEY_CLIENTS, /* reference (luaL_ref) to client object */
    KEY_ROOMS,   /* weak: name to room object */
    KEY_ANCHORS, /* light userdata of struct room to room object: keeps its state alive */
    KEY_TIMERS,  /* id to {function or name, arguments...} */
    KEY_TASKS,   /* light userdata of struct task to task object */
    KEY_STATE,   /* chat.state */
    KEY_COUNT
};

struct host {
    struct host_setup setup;
    char keys[KEY_COUNT]; /* their addresses are keys of the registry */
    struct vm vm;
    struct loader loader;   /* of the last load, even if it failed */
    struct loader in_force; /* the files of the rules in force, as they were then */
    struct world world;
    struct timers timers;
    struct map asked;        /* struct asked by id */
    struct batch mail;       /* taken from the inbox */
    size_t mail_at;          /* bytes of it that are done */
    uint64_t batches;        /* how often it was taken */
    struct list overdue;     /* tasks whose reply may be among the mail that has come */
    double now;              /* of this turn: seconds on the steady clock */
    double wall;             /* and since 1970, for what scripts are shown */
    double share_end;        /* on the steady clock: when others have their turn */
    struct quota_share held; /* of what all clients may make the server keep */
    struct quota unlimited;  /* where nobody gave a sum */
    struct list ready;       /* clients whose mail goes on, now that no handler waits */
    struct buf text;         /* JSON in the making; reused */
    struct list idle_tasks;
    uint32_t idle_count;
    struct task *current;      /* whose handler runs */
    uint64_t timers_committed; /* the last timer id that stays */
    struct buf cancelled;      /* uint64_t ids of timers that the handler cancelled */
    struct batch fetches;  /* the handler's request to a service; posted at its commit */
    bool is_stopping;      /* MAIL_DRAIN has come; until the shards are told */
    struct task *stopping; /* of on_stop, while it waits */
    double stop_until;     /* then the shards are told, whether or not it has ended */
    uint32_t drained_shards;
    struct garbage garbage;
    struct bytes source; /* of the rules that are being loaded; empty: the file */
    bool is_scratch;
    bool is_loaded; /* some rules are in force */
    bool owes;      /* some client or request is owed what memory was too short for */
};

static inline struct host *host_of(lua_State *L)
{
    return vm_self(L);
}

/* Pushes what the registry holds under `name`. [-0, +1] */
static inline void host_push(lua_State *L, enum host_key_name name)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &host_of(L)->keys[name]);
}

/* Sets it. [-1, +0] */
static inline void host_set(lua_State *L, enum host_key_name name)
{
    lua_rawsetp(L, LUA_REGISTRYINDEX, &host_of(L)->keys[name]);
}

#endif
