/* compose: lists by priority, and the function that walks one. */
#include "script/compose.h"

#include <lauxlib.h>

enum { HANDLERS_MAX = 1000 }; /* of one event */

/* Pushes the list of `event`; nil if there is none. [-0, +1] */
static int push_list(lua_State *L, int events, const char *event)
{
    return lua_getfield(L, events, event ? event : "");
}

/* Inserts the entry on top into the list at `list`. [-1, +0] */
static void insert(lua_State *L, int list, lua_Number priority)
{
    lua_Integer at = (lua_Integer)lua_rawlen(L, list);
    if (at >= HANDLERS_MAX)
        luaL_error(L, "an event has more than %d handlers", HANDLERS_MAX);
    for (; at > 0; at--) {
        lua_rawgeti(L, list, at);
        lua_rawgeti(L, -1, 2);
        bool before = lua_tonumber(L, -1) <= priority;
        lua_pop(L, 1);
        if (before) {
            lua_pop(L, 1);
            break;
        }
        lua_rawseti(L, list, at + 1);
    }
    lua_rawseti(L, list, at + 1);
}

void compose_add(lua_State *L, int events, const char *event, lua_Number priority)
{
    events = lua_absindex(L, events);
    if (push_list(L, events, event) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setfield(L, events, event);
    }
    lua_createtable(L, 2, 0);
    lua_rotate(L, -3, -1); /* list, entry, function */
    lua_rawseti(L, -2, 1);
    lua_pushnumber(L, priority);
    lua_rawseti(L, -2, 2);
    insert(L, lua_absindex(L, -2), priority);
    lua_pop(L, 1);
}

/* Inserts the entries of the list on top into the list at `list`. [-1, +0] */
static void insert_all(lua_State *L, int list)
{
    for (lua_Integer i = 1; lua_istable(L, -1) && lua_rawgeti(L, -1, i) != LUA_TNIL;
         i++) {
        lua_rawgeti(L, -1, 2);
        lua_Number priority = lua_tonumber(L, -1);
        lua_pop(L, 1);
        insert(L, list, priority);
    }
    lua_settop(L, list);
}

/* Upvalues of a chain: the array of functions, and whether false ends it. */
enum { UP_HANDLERS = 1, UP_STOPS };

/* Calls the handlers behind the `done`th. Stack: their number of arguments, the
 * arguments, what the last one returned. */
static int walk(lua_State *L, int status, lua_KContext done)
{
    (void)status;
    int n = (int)lua_tointeger(L, 1), results = n + 2;
    for (lua_Integer i = (lua_Integer)done;;) {
        if (i > 0 && lua_toboolean(L, lua_upvalueindex(UP_STOPS)) &&
            lua_isboolean(L, results) && !lua_toboolean(L, results))
            return lua_gettop(L) - n - 1;
        lua_settop(L, n + 1);
        if (lua_rawgeti(L, lua_upvalueindex(UP_HANDLERS), ++i) == LUA_TNIL)
            return 0;
        for (int k = 2; k <= n + 1; k++)
            lua_pushvalue(L, k);
        lua_callk(L, n, LUA_MULTRET, (lua_KContext)i, walk);
    }
}

static int chain(lua_State *L)
{
    int n = lua_gettop(L);
    luaL_checkstack(L, n + 2, "handlers");
    lua_pushinteger(L, n);
    lua_insert(L, 1);
    return walk(L, LUA_OK, 0);
}

void compose_push(lua_State *L, int events, const char *first, const char *event,
                  bool stops)
{
    events = lua_absindex(L, events);
    lua_newtable(L);
    int list = lua_gettop(L);
    if (first)
        push_list(L, events, first), insert_all(L, list);
    push_list(L, events, event), insert_all(L, list);
    lua_Integer n = (lua_Integer)lua_rawlen(L, list);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, list, i);
        lua_rawgeti(L, -1, 1);
        lua_rawseti(L, list, i);
        lua_pop(L, 1);
    }
    if (n < 2) {
        lua_rawgeti(L, list, 1);
    } else {
        lua_pushvalue(L, list);
        lua_pushboolean(L, stops);
        lua_pushcclosure(L, chain, 2);
    }
    lua_remove(L, list);
}
