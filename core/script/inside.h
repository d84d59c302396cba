/* inside: what the files of script/ share: the host's struct and the bridge from ids to
 * Lua objects. Does not know: anything above script/; nobody outside includes it. Thread:
 * the host's. Owner: host.c. */
#ifndef CHARLUA_SCRIPT_INSIDE_H
#define CHARLUA_SCRIPT_INSIDE_H

#include "script/host.h"
#include "lua/loader.h"
#include "script/timers.h"
#include "lua/vm.h"
#include "script/world.h"
#include "wire/outframe.h"
#include "wire/routes.h"

enum { TIMERS_MAX = 100000 };

enum run_kind {
    RUN_OPEN,
    RUN_MESSAGE,
    RUN_CLOSE,
    RUN_TIMER,
    RUN_EVENT,
    RUN_REQUEST,
    RUN_RESUME
};

/* A plain HTTP request whose handler has not ended. */
struct asked {
    uint64_t id;       /* of its connection */
    struct task *task; /* of its handler that waits, or NULL */
    bool gone;         /* nobody waits for the response any more */
    bool unanswered;   /* memory was too short for its response: it gets a 500 later */
    char route[ROUTE_KEY_MAX + 1];
};

/* A handler's coroutine; a full userdata whose user value is the thread. */
struct task {
    struct list idle;    /* in the host's list of those to use again */
    lua_State *co;       /* its thread */
    uint64_t client;     /* whose handler runs, or 0 */
    struct asked *asked; /* the request that it answers, or NULL */
    uint8_t kind;        /* enum run_kind, never RESUME */
    bool is_asking;      /* it waits for an answer whose id is the timer's */
    struct timer *wait;  /* while it waits: until when at the latest */
};

struct host {
    struct host_setup setup;
    struct vm vm;
    struct loader loader;
    struct world world;
    struct timers timers;
    struct map asked;  /* struct asked by id */
    struct batch mail; /* taken from the inbox */
    size_t mail_at;    /* bytes of it that are done */
    double now;        /* seconds since 1970, of this turn */
    struct buf text;   /* JSON in the making; reused */
    struct list idle_tasks;
    uint32_t idle_count;
    struct task *current;      /* whose handler runs */
    uint64_t timers_committed; /* the last timer id that stays */
    struct buf cancelled;      /* uint64_t ids of timers that the handler cancelled */
    struct batch fetches; /* the handler's request to a service; posted at its commit */
    uint32_t drained_shards;
    size_t peak;         /* most clients since memory was last given back */
    struct bytes source; /* of the rules that are being loaded; empty: the file */
    bool is_scratch;
    bool is_loaded; /* some rules are in force */
    bool owes;      /* some client is unanswered */
};

/* What the registry holds for us, by address: lua_rawgetp(L, LUA_REGISTRYINDEX,
 * host_key(KEY_APP)). */
enum host_key_name {
    KEY_APP,     /* the table that the script returned */
    KEY_DECODE,  /* cjson's decode: value, or nil and a reason */
    KEY_CLIENTS, /* world_number + 1 to client object */
    KEY_ROOMS,   /* weak: name to room object */
    KEY_ANCHORS, /* light userdata of struct room to room object: keeps its state alive */
    KEY_TIMERS,  /* id to {function or name, arguments...} */
    KEY_TASKS,   /* light userdata of struct task to task object */
    KEY_STATE,   /* chat.state */
    KEY_COUNT
};

extern const char host_keys[KEY_COUNT];

/* Pushes what the registry holds under `name`. [-0, +1] */
static inline void host_push(lua_State *L, enum host_key_name name)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &host_keys[name]);
}

static inline struct host *host_of(lua_State *L)
{
    return vm_self(L);
}

/* `c` (or NULL) has reached a limit: counts and logs it. */
void host_limit(struct host *h, enum limit which, const struct client *c);

/* Turns a staged effect's result into what a script gets: true; nil, "full"; or an error.
 * [-0, +1|2] */
int host_push_result(lua_State *L, enum world_result result, const char *full);

/* A frame of `payload`; raises when it is larger than any client's queue, the budget is
 * spent or memory is out. The caller unrefs it before anything else that raises. */
struct outframe *host_frame_new(lua_State *L, enum ws_opcode op, struct bytes payload);

/* A text frame of the value at `index`: a table or number as JSON, a chat.object, a
 * string that is JSON already. The caller unrefs it. Raises what json_encode does. */
struct outframe *host_frame(lua_State *L, int index);

/* Raises if the table at `index` has a key that is not one of `names` (up to NULL): a
 * misspelt option would silently count for nothing. [-0, +0] */
void host_check_fields(lua_State *L, int index, const char *who,
                       const char *const *names);

/* Whether the running handler may wait now. False: its client has gone, and nil, "closed"
 * are pushed. Raises, in the name of `who`, where nothing can wait. [-0, +0|2] */
bool host_may_wait(lua_State *L, const char *who);

/* Sets the clock of the wait that begins when the caller yields: `seconds` at most. */
struct timer *host_begin_wait(lua_State *L, double seconds);

/* api_client.c: pushes the object of `c`, making it when it is first asked for. [-0, +1]
 */
void client_push(lua_State *L, struct client *c);
/* Pushes the state of `c`, or something that is no table while it was never touched.
 * [-0, +1] */
void client_push_state(lua_State *L, const struct client *c);
/* The client that the object at `index` names, or NULL when it has gone. Raises for
 * another type. */
struct client *client_check(lua_State *L, int index, uint64_t *id);
void client_register(lua_State *L);
/* The object of `c` is forgotten. Never raises. */
void client_forget(lua_State *L, struct client *c);

/* api_room.c: pushes the object of the room called by the string at `index`. Raises for a
 * bad name. [-0, +1] */
void room_push(lua_State *L, int index);
/* The room that the object or name at `index` names, or NULL while nobody is in it.
 * Raises for another type. */
struct room *room_check(lua_State *L, int index, struct bytes *name);
void room_push_name(lua_State *L, const struct room *r);
void room_register(lua_State *L);
/* The object and the state of `r` are forgotten. Never raises. */
void room_forget(lua_State *L, struct room *r);

/* api_request.c: what a request is made of; all of it is copied. */
struct request_parts {
    struct bytes head;
    struct bytes subject; /* of the client's certificate, or empty */
    struct bytes body;
    const struct addr *from;
    bool secure;
};
/* Pushes a request. [-0, +1] */
void request_push(lua_State *L, const struct request_parts *parts);
void request_register(lua_State *L);
/* Adds a field of HTTP to the table on top: its name in lower case, joined with ", " to
 * what is there (RFC 9110 5.3). [-0, +0] */
void request_add_field(lua_State *L, struct bytes name, struct bytes value);

/* api_chat.c: pushes the module `charlua`. [-0, +1] */
void chat_push(lua_State *L);

/* api_crypto.c: sets field `crypto` of the table on top. [-0, +0] */
void crypto_add(lua_State *L);

/* api_env.c, api_http.c: set fields `env` and `http`. [-0, +0] */
void env_add(lua_State *L);
void http_add(lua_State *L);
/* Pushes what chat.http returns for the MAIL_FETCHED `m`. Returns how many values that
 * is. [-0, +1|2] */
int http_push_answer(lua_State *L, const struct mail *m);

/* Pushes true and adds the metatable `type` with `methods` and the index function `index`
 * (its upvalue 1 is the table of methods). [-0, +0] */
struct luaL_Reg;
void host_new_type(lua_State *L, const char *type, const struct luaL_Reg *methods,
                   lua_CFunction index, lua_CFunction newindex);

#endif
