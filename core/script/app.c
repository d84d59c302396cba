/* app: one value, so that it can be checked before it counts. */
#include "script/app.h"

#include "script/compose.h"
#include "wire/http.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

enum owner { APP = 1, MODULE = 2, BOTH = 3 };

/* How the parts' fields of one name become the rules' field. */
enum merge {
    APP_ALONE, /* the app's */
    CHAIN,     /* all are called */
    STOPPABLE, /* they are called until one returns false */
    BY_TYPE,   /* a table of functions, STOPPABLE each; those under "*" go with all others
                */
    BY_NAME,   /* a table of functions, each name in one part only */
};

static const struct field {
    const char *name;
    int type;
    enum owner owner;
    enum merge merge;
} fields[] = {
    {"api", LUA_TNUMBER, APP, APP_ALONE},
    {"use", LUA_TTABLE, APP, APP_ALONE},
    {"on", LUA_TTABLE, BOTH, BY_TYPE},
    {"on_open", LUA_TFUNCTION, BOTH, STOPPABLE},
    {"on_close", LUA_TFUNCTION, BOTH, CHAIN},
    {"on_message", LUA_TFUNCTION, BOTH, STOPPABLE},
    {"on_start", LUA_TFUNCTION, BOTH, CHAIN},
    {"on_reload", LUA_TFUNCTION, BOTH, CHAIN},
    {"on_stop", LUA_TFUNCTION, BOTH, CHAIN},
    {"timers", LUA_TTABLE, BOTH, BY_NAME},
    {"http", LUA_TTABLE, BOTH, BY_NAME},
    {"protocols", LUA_TTABLE, APP, APP_ALONE},
    {"version", LUA_TNUMBER, APP, APP_ALONE},
    {"migrate", LUA_TFUNCTION, APP, APP_ALONE},
    {"selftest", LUA_TFUNCTION, BOTH, CHAIN},
};

enum {
    PROTOCOL_NAME_MAX = 100, /* bytes */
    FIELD_COUNT = sizeof fields / sizeof *fields,
};

#define HOOK_TYPE "charlua.hook"
#define ANY_TYPE  "on.*"

/* The user values of a hook, which scripts can't change once they were checked. */
enum { HOOK_EVENT = 1, HOOK_HANDLER, HOOK_PRIORITY };

static const struct field *find_field(const char *name)
{
    for (int i = 0; i < FIELD_COUNT; i++)
        if (strcmp(name, fields[i].name) == 0)
            return &fields[i];
    return NULL;
}

/* Whether handlers of `event`, such as "on_open" and "on.say", end with one that returns
 * false. -1: there is no such event. */
static int event_stops(const char *event)
{
    const struct field *f = find_field(event);
    if (strncmp(event, "on.", 3) == 0 && event[3])
        return 1;
    return f && f->merge == STOPPABLE ? 1 : f && f->merge == CHAIN ? 0 : -1;
}

void app_push_hook(lua_State *L, const char *event, int f, lua_Number priority)
{
    f = lua_absindex(L, f);
    if (event_stops(event) < 0)
        luaL_error(L,
                   "there is no event '%s': say \"on.TYPE\", \"on_open\", \"on_close\", "
                   "\"on_message\", \"on_start\", \"on_reload\" or \"on_stop\"",
                   event);
    lua_newuserdatauv(L, 0, HOOK_PRIORITY);
    lua_pushstring(L, event);
    lua_setiuservalue(L, -2, HOOK_EVENT);
    lua_pushvalue(L, f);
    lua_setiuservalue(L, -2, HOOK_HANDLER);
    lua_pushnumber(L, priority);
    lua_setiuservalue(L, -2, HOOK_PRIORITY);
    luaL_newmetatable(L, HOOK_TYPE);
    lua_pushliteral(L, HOOK_TYPE);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}

/* --- checking ------------------------------------------------------------ */

static void check_field(lua_State *L, const char *part, enum owner owner, int value)
{
    const char *name = lua_tostring(L, value - 1);
    const struct field *f = find_field(name);
    if (owner == MODULE && !f && strncmp(name, "on_", 3) != 0)
        return; /* something of its own, for those who require it */
    if (!f)
        luaL_error(L,
                   "%s.%s is no field of an app: there are api, use, on, on_open, "
                   "on_close, on_message, on_start, on_reload, on_stop, timers, http, "
                   "protocols, version, migrate and selftest; handlers of messages go "
                   "into app.on",
                   part, name);
    if (!(f->owner & owner))
        luaL_error(L, "%s.%s: only the app itself has this field, not a module", part,
                   name);
    if (lua_type(L, value) != f->type)
        luaL_error(L, "%s.%s is a %s; it has to be a %s", part, name,
                   luaL_typename(L, value), lua_typename(L, f->type));
    if (f->merge != BY_TYPE && f->merge != BY_NAME)
        return;
    for (lua_pushnil(L); lua_next(L, value); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "%s.%s has a key that is a %s; keys are strings", part, name,
                       luaL_typename(L, -2));
        if (!lua_isfunction(L, -1))
            luaL_error(L, "%s.%s.%s is a %s; it has to be a function", part, name,
                       lua_tostring(L, -2), luaL_typename(L, -1));
    }
}

/* The part on top is a table with known fields and hooks. [-0, +0] */
static void check_part(lua_State *L, const char *part, enum owner owner)
{
    int index = lua_gettop(L);
    if (!lua_istable(L, index))
        luaL_error(L, "%s is a %s; it has to be a module's table", part,
                   luaL_typename(L, index));
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        if (lua_type(L, -2) == LUA_TSTRING)
            check_field(L, part, owner, lua_gettop(L));
        else if (!lua_isinteger(L, -2) || !luaL_testudata(L, -1, HOOK_TYPE))
            luaL_error(L, "%s has the key %s, which is no string and no place of a hook",
                       part, luaL_tolstring(L, -2, NULL));
    }
}

/* --- composing ----------------------------------------------------------- */

/* Adds the functions of the table on top to the events "on.NAME"; pops it. [-1, +0] */
static void add_types(lua_State *L, int events)
{
    for (lua_pushnil(L); lua_next(L, -2);) {
        const char *event = lua_pushfstring(L, "on.%s", lua_tostring(L, -2));
        lua_insert(L, -2);
        compose_add(L, events, event, 0);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* Copies the table on top into the rules' table `name`; pops it. [-1, +0] */
static void add_names(lua_State *L, int rules, const char *part, const char *name)
{
    if (lua_getfield(L, rules, name) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setfield(L, rules, name);
    }
    for (lua_pushnil(L); lua_next(L, -3);) {
        lua_pushvalue(L, -2);
        if (lua_rawget(L, -4) != LUA_TNIL)
            luaL_error(L, "%s.%s.%s: another module has one of this name", part, name,
                       lua_tostring(L, -3));
        lua_pop(L, 1);
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -4);
    }
    lua_pop(L, 2);
}

/* Pushes the field that check_part has seen: a metatable may make up others. [-0, +1] */
static int get_field(lua_State *L, int part, const char *name)
{
    lua_pushstring(L, name);
    return lua_rawget(L, part);
}

/* Adds the fields and hooks of the part on top. [-0, +0] */
static void add_part(lua_State *L, int events, int rules, const char *part,
                     enum owner owner)
{
    check_part(L, part, owner);
    int index = lua_gettop(L);
    for (int i = 0; i < FIELD_COUNT; i++) {
        if (!(fields[i].owner & owner) || get_field(L, index, fields[i].name) == LUA_TNIL)
            lua_settop(L, index);
        else if (fields[i].merge == APP_ALONE)
            lua_setfield(L, rules, fields[i].name);
        else if (fields[i].merge == BY_TYPE)
            add_types(L, events);
        else if (fields[i].merge == BY_NAME)
            add_names(L, rules, part, fields[i].name);
        else
            compose_add(L, events, fields[i].name, 0);
    }
    for (lua_Integer i = 1; lua_rawgeti(L, index, i) != LUA_TNIL; i++) {
        lua_getiuservalue(L, index + 1, HOOK_EVENT);
        lua_getiuservalue(L, index + 1, HOOK_PRIORITY);
        lua_getiuservalue(L, index + 1, HOOK_HANDLER);
        compose_add(L, events, lua_tostring(L, index + 2), lua_tonumber(L, index + 3));
        lua_settop(L, index);
    }
    lua_settop(L, index);
}

/* Sets the rules' function of each event. [-0, +0] */
static void add_events(lua_State *L, int events, int rules)
{
    lua_newtable(L);
    int on = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, events); lua_pop(L, 1)) {
        const char *event = lua_tostring(L, on + 1);
        bool is_type = strncmp(event, "on.", 3) == 0;
        if (strcmp(event, ANY_TYPE) == 0)
            continue;
        compose_push(L, events, is_type ? ANY_TYPE : NULL, event, event_stops(event) > 0);
        lua_setfield(L, is_type ? on : rules, is_type ? event + 3 : event);
    }
    lua_setfield(L, rules, "on");
}

/* app.use, if there is one, is an array: a module in its place would be none of its
 * elements. */
static void check_use(lua_State *L, int use)
{
    if (!lua_istable(L, use))
        return;
    for (lua_pushnil(L); lua_next(L, use); lua_pop(L, 1))
        if (!lua_isinteger(L, -2))
            luaL_error(L,
                       "app.use has the key %s; it is an array of modules: say "
                       "app.use = { require \"NAME\" }",
                       luaL_tolstring(L, -2, NULL));
}

/* The rules that the app on top and its modules make, in its place. [-1, +1] */
static void compose(lua_State *L)
{
    int app = lua_gettop(L), events = app + 1, rules = app + 2;
    lua_newtable(L);
    lua_newtable(L);
    lua_pushliteral(L, "use");
    lua_rawget(L, app);
    int use = lua_gettop(L);
    check_use(L, use);
    for (lua_Integer i = 1; lua_istable(L, use) && lua_rawgeti(L, use, i) != LUA_TNIL;
         i++) {
        char part[32];
        snprintf(part, sizeof part, "app.use[%d]", (int)i);
        add_part(L, events, rules, part, MODULE);
        lua_settop(L, use);
    }
    lua_pushvalue(L, app);
    add_part(L, events, rules, "app", APP);
    add_events(L, events, rules);
    lua_pushvalue(L, rules);
    lua_replace(L, app);
    lua_settop(L, app);
}

void app_load(lua_State *L, struct host *h, int builtins)
{
    loader_run(L, &h->loader, h->setup.script, h->source, builtins);
    int app = lua_gettop(L);
    if (!lua_istable(L, app))
        luaL_error(
            L, "%s: the script returned %s%s; its last line has to return its app table",
            h->setup.script, lua_isnil(L, app) ? "" : "a ",
            lua_isnil(L, app) ? "nothing" : luaL_typename(L, app));
    lua_pushliteral(L, "api");
    lua_rawget(L, app);
    if (lua_tonumber(L, -1) != 1)
        luaL_error(L,
                   "app.api has to be 1, the only one that this version of charlua has");
    lua_pop(L, 1);
    compose(L);
}

void app_protocols(lua_State *L, struct host *h)
{
    struct buf *names = &h->text;
    int app = lua_gettop(L);
    names->len = 0;
    lua_getfield(L, app, "protocols");
    for (lua_Integer i = 1;
         lua_istable(L, app + 1) && lua_rawgeti(L, app + 1, i) != LUA_TNIL; i++) {
        size_t len;
        const char *name =
            lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : "";
        struct bytes text = bytes_of(name);
        for (size_t k = 0; k < text.len; k++)
            if (!http_is_token_byte(text.at[k]))
                text.len = 0;
        if (text.len == 0 || text.len > PROTOCOL_NAME_MAX)
            luaL_error(
                L, "app.protocols[%d] is no subprotocol's name (letters, digits and -_.)",
                (int)i);
        if (buf_append(names, bytes_of(",")) < 0 || buf_append(names, text) < 0)
            luaL_error(L, "not enough memory");
        lua_pop(L, 1);
    }
    lua_settop(L, app);
    if (world_protocols(&h->world, buf_bytes(names)) != WORLD_OK)
        luaL_error(L, "not enough memory");
}

void app_migrate(lua_State *L)
{
    int rules = lua_gettop(L);
    lua_getfield(L, rules, "version");
    app_push(L, NULL, "version");
    host_push(L, KEY_APP);
    bool first = lua_isnil(L, -1);
    lua_pop(L, 1);
    if (!first && !lua_rawequal(L, -1, -2) &&
        lua_getfield(L, rules, "migrate") == LUA_TFUNCTION) {
        lua_pushvalue(L, rules + 2);
        lua_call(L, 1, 0);
    }
    lua_settop(L, rules);
}

void app_swap(lua_State *L)
{
    host_set(L, KEY_APP);
}

void app_push(lua_State *L, const char *section, const char *name)
{
    host_push(L, KEY_APP);
    if (section && lua_istable(L, -1)) {
        lua_pushstring(L, section);
        lua_rawget(L, -2);
        lua_remove(L, -2);
    }
    if (lua_istable(L, -1)) {
        lua_pushstring(L, name);
        lua_rawget(L, -2);
    } else {
        lua_pushnil(L);
    }
    lua_remove(L, -2);
}
