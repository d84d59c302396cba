/* call: which handler a run is for, and what that gets. */
#include "script/call.h"

#include "script/api_request.h"
#include "script/app.h"
#include "script/objects.h"
#include "script/route.h"
#include "lua/stall_log.h"

#include <lauxlib.h>
#include <string.h>

/* How cjson begins to say that the depth limit was exceeded. */
#define TOO_DEEP "Found too many nested data structures"

/* The log calls the run's handler `place` and `what`. Every message comes through here:
 * snprintf would cost as much as the JSON. */
static void name(lua_State *L, struct run *r, const char *place, const char *what)
{
    size_t len = strlen(place);
    memcpy(r->name, place, len + 1);
    memccpy(r->name + len, what, '\0', sizeof r->name - 1 - len);
    r->name[sizeof r->name - 1] = '\0';
    stall_log_name(host_of(L)->setup.stall_log, r->name);
}

/* Pushes the decoded message and its handler, or says why not. True: [-0, +2] handler,
 * message. */
static bool push_decoded(lua_State *L, struct run *r)
{
    if (r->binary) {
        r->protocol_error = "binary";
        return false;
    }
    host_push(L, KEY_DECODE);
    lua_pushlstring(L, (const char *)r->data.at, r->data.len);
    lua_call(L, 1, 2);
    if (!lua_istable(L, -2)) {
        const char *why = lua_tostring(L, -1);
        r->too_deep = why && strncmp(why, TOO_DEEP, strlen(TOO_DEEP)) == 0;
        r->protocol_error = "bad_json";
        return false;
    }
    lua_pop(L, 1);
    lua_pushliteral(L, "type");
    if (lua_rawget(L, -2) != LUA_TSTRING) {
        r->protocol_error = "no_type";
        return false;
    }
    host_push(L, KEY_APP);
    lua_pushliteral(L, "on");
    if (lua_rawget(L, -2) == LUA_TTABLE) {
        lua_pushvalue(L, -3);
        lua_rawget(L, -2);
    }
    if (!lua_isfunction(L, -1)) {
        r->protocol_error = "unknown_type";
        return false;
    }
    name(L, r, "on.", lua_tostring(L, -4));
    /* message, type, app, on, handler -> handler, message */
    lua_replace(L, -4);
    lua_pop(L, 2);
    lua_insert(L, -2);
    return true;
}

/* Pushes what a timer calls and its arguments; nothing if the timer has been forgotten.
 */
static void push_timer(lua_State *L, struct run *r)
{
    host_push(L, KEY_TIMERS);
    lua_rawgeti(L, -1, (lua_Integer)r->timer);
    lua_remove(L, -2);
    int entry = lua_gettop(L);
    if (!lua_istable(L, entry)) {
        lua_pop(L, 1);
        return;
    }
    lua_getfield(L, entry, "n");
    int n = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    luaL_checkstack(L, n + 4, "timer");
    for (int i = 1; i <= n; i++)
        lua_rawgeti(L, entry, i);
    lua_remove(L, entry);
    if (lua_type(L, entry) != LUA_TSTRING)
        return;
    app_push(L, "timers", lua_tostring(L, entry));
    name(L, r, "timer ", lua_tostring(L, entry));
    if (lua_isnil(L, -1))
        luaL_error(L, "a timer is due, but app.timers.%s is not there",
                   lua_tostring(L, entry));
    lua_replace(L, entry);
}

/* Longer than others: a case for each kind of handler. */
int call_push(lua_State *L, struct run *r)
{
    int base = lua_gettop(L);
    switch (r->kind) {
    case RUN_OPEN:
        app_push(L, NULL, "on_open");
        if (lua_isnil(L, -1))
            return 0;
        client_push(L, r->client);
        request_push(L, &(struct request_parts){
                            .head = {r->data.at, r->head_len},
                            .subject = {r->data.at + r->head_len, r->subject_len},
                            .from = &r->client->addr,
                            .secure = r->client->secure,
                        });
        break;
    case RUN_MESSAGE:
        app_push(L, NULL, "on_message");
        if (lua_isfunction(L, -1)) {
            name(L, r, "on_message", "");
            client_push(L, r->client);
            lua_pushlstring(L, (const char *)r->data.at, r->data.len);
            lua_pushboolean(L, r->binary);
        } else {
            lua_pop(L, 1);
            if (!push_decoded(L, r))
                return 0;
            client_push(L, r->client);
            lua_insert(L, -2);
        }
        break;
    case RUN_CLOSE:
        app_push(L, NULL, "on_close");
        if (lua_isnil(L, -1))
            return 0;
        client_push(L, r->client);
        lua_pushinteger(L, r->code);
        lua_pushlstring(L, (const char *)r->data.at, r->data.len);
        break;
    case RUN_TIMER:
        push_timer(L, r);
        break;
    case RUN_EVENT:
        app_push(L, NULL, r->event);
        if (lua_isnil(L, -1))
            return 0;
        break;
    case RUN_REQUEST:
        name(L, r, "http ", r->asked->route);
        if (!route_push(L, r))
            return 0;
        break;
    case RUN_RESUME:
        if (r->nothing) {
            lua_pushnil(L);
            lua_pushstring(L, r->nothing);
        } else if (r->reply) {
            r->push_reply(L, r->reply);
        } else {
            lua_pushboolean(L, 1);
        }
        break;
    }
    return lua_gettop(L) - base;
}
