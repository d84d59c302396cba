/* api_client: the type `client`: an id, and a table of state once it was touched. */
#include "script/api.h"
#include "script/api_parts.h"
#include "script/objects.h"

#include "lua/hint.h"
#include "wire/close.h"
#include "wire/utf8.h"

/* nil, "closed". */
static int push_closed(lua_State *L)
{
    lua_pushnil(L);
    lua_pushliteral(L, "closed");
    return 2;
}

static bool is_reachable(const struct client *c)
{
    return c && client_is_here(c);
}

/* client:send(value) -> true | nil, "closed" */
static int send_text(lua_State *L)
{
    uint64_t id;
    if (!is_reachable(client_check(L, 1, &id)))
        return push_closed(L);
    struct outframe *f = api_frame(L, 2);
    enum world_result result = world_send(&host_of(L)->world, id, f);
    outframe_unref(f);
    return api_push_result(L, result, NULL);
}

/* client:send_binary(s) -> true | nil, "closed" */
static int send_binary(lua_State *L)
{
    uint64_t id;
    size_t len;
    const char *data = luaL_checklstring(L, 2, &len);
    if (!is_reachable(client_check(L, 1, &id)))
        return push_closed(L);
    struct outframe *f =
        api_frame_new(L, WS_BINARY, (struct bytes){(const uint8_t *)data, len});
    enum world_result result = world_send(&host_of(L)->world, id, f);
    outframe_unref(f);
    return api_push_result(L, result, NULL);
}

/* client:close([code [, reason]]) -> true | nil, "closed" */
static int close_it(lua_State *L)
{
    uint64_t id;
    size_t len;
    lua_Integer code = luaL_optinteger(L, 2, WS_CLOSE_NORMAL);
    const char *reason = luaL_optlstring(L, 3, "", &len);
    struct bytes text = {(const uint8_t *)reason, len};
    luaL_argcheck(L, code >= 0 && code <= 4999 && close_code_is_valid((unsigned)code), 2,
                  "a close code is 1000 to 1003, 1007 to 1014 or 3000 to 4999");
    luaL_argcheck(L, len <= 123 && utf8_is_valid(text), 3,
                  "a reason is UTF-8 of at most 123 bytes");
    if (!is_reachable(client_check(L, 1, &id)))
        return push_closed(L);
    return api_push_result(L, world_close(&host_of(L)->world, id, (uint16_t)code, text),
                           NULL);
}

/* client:join(room) -> true | nil, "closed" | nil, "too many rooms" */
static int join(lua_State *L)
{
    uint64_t id;
    struct bytes name;
    struct host *h = host_of(L);
    struct client *c = client_check(L, 1, &id);
    struct room *room = room_check(L, 2, &name);
    if (!is_reachable(c))
        return push_closed(L);
    enum world_result result = room ? WORLD_OK : world_make_room(&h->world, name, &room);
    enum limit limit = LIMIT_ROOMS;
    if (result == WORLD_OK) {
        result = world_join(&h->world, c, room);
        limit = LIMIT_CLIENT_ROOMS;
    }
    if (result == WORLD_FULL)
        api_reach_limit(h, limit, c);
    return api_push_result(L, result, "too many rooms");
}

/* client:leave(room) -> true | nil, "closed" */
static int leave(lua_State *L)
{
    uint64_t id;
    struct bytes name;
    struct client *c = client_check(L, 1, &id);
    struct room *room = room_check(L, 2, &name);
    if (!c)
        return push_closed(L);
    return api_push_result(
        L, room ? world_leave(&host_of(L)->world, c, room) : WORLD_ALREADY, NULL);
}

/* client:rooms() -> array of rooms, in the order in which it joined them */
static int rooms(lua_State *L)
{
    uint64_t id;
    struct client *c = client_check(L, 1, &id);
    lua_newtable(L);
    if (!c)
        return 1;
    lua_Integer n = 0;
    const struct world *w = &host_of(L)->world;
    for (uint32_t m = c->roster.first; m; m = roster_next(&w->roster, ROSTER_CLIENT, m)) {
        room_push_name(L, world_room_of(w, m));
        room_push(L, -1);
        lua_remove(L, -2);
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

static int push_state(lua_State *L)
{
    if (lua_getiuservalue(L, 1, CLIENT_STATE) == LUA_TTABLE)
        return 1;
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, CLIENT_STATE);
    return 1;
}

static int push_ip(lua_State *L, const struct client *c)
{
    char ip[ADDR_TEXT_MAX];
    if (c)
        lua_pushstring(L, addr_ip(&c->addr, ip));
    else
        lua_pushnil(L);
    return 1;
}

/* client.id, .ip, .protocol, .secure, .state and the methods */
static int client_index(lua_State *L)
{
    static const char *const fields[] = {"id", "ip", "protocol", "secure", "state", NULL};
    uint64_t id;
    struct client *c = client_check(L, 1, &id);
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    if (strcmp(key, "state") == 0)
        return push_state(L);
    if (strcmp(key, "id") == 0) {
        lua_pushinteger(L, (lua_Integer)id);
        return 1;
    }
    if (strcmp(key, "ip") == 0)
        return push_ip(L, c);
    if (strcmp(key, "secure") == 0) {
        lua_pushboolean(L, c && c->secure);
        return 1;
    }
    if (strcmp(key, "protocol") == 0) {
        lua_pushstring(L,
                       c && c->extras ? c->extras->protocol : NULL); /* NULL pushes nil */
        return 1;
    }
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL)
        return hint_raise(L, "a client", 2, lua_upvalueindex(1), fields);
    return 1;
}

static int refuse_assignment(lua_State *L)
{
    return luaL_error(
        L, "a client's '%s' can't be assigned: put what is yours into client.state",
        luaL_tolstring(L, 2, NULL));
}

static int client_tostring(lua_State *L)
{
    uint64_t id;
    client_check(L, 1, &id);
    lua_pushfstring(L, "client %I", (LUAI_UACINT)id);
    return 1;
}

void client_register(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"send", send_text}, {"send_binary", send_binary},
        {"close", close_it}, {"join", join},
        {"leave", leave},    {"rooms", rooms},
        {NULL, NULL},
    };
    api_new_type(L, CLIENT_TYPE,
                 "a client can't be sent: send client.id, or what client.state has",
                 methods, client_index, refuse_assignment);
    luaL_getmetatable(L, CLIENT_TYPE);
    lua_pushcfunction(L, client_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
}
