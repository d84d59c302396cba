/* api_room: the type `room`: a name (user value 1), and a table of state (user value 2)
 * once it was touched. */
#include "script/inside.h"

#include "lua/hint.h"
#include "wire/utf8.h"

#include <lauxlib.h>

#define ROOM_TYPE "charlua.room"

enum { VALUE_NAME = 1, VALUE_STATE };

static struct bytes check_name(lua_State *L, int index)
{
    size_t len;
    const char *name = luaL_checklstring(L, index, &len);
    struct bytes text = {(const uint8_t *)name, len};
    luaL_argcheck(L, len >= 1 && len <= ROOM_NAME_MAX && utf8_is_valid(text), index,
                  "a room's name is UTF-8 of 1 to 128 bytes");
    return text;
}

void room_push(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    check_name(L, index);
    vm_work(vm_of(L), L, 100); /* there are arrays of all of them */
    host_push(L, KEY_ROOMS);
    lua_pushvalue(L, index);
    if (lua_rawget(L, -2) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_newuserdatauv(L, 0, 2);
        lua_pushvalue(L, index);
        lua_setiuservalue(L, -2, VALUE_NAME);
        luaL_setmetatable(L, ROOM_TYPE);
        lua_pushvalue(L, index);
        lua_pushvalue(L, -2);
        lua_rawset(L, -4);
    }
    lua_remove(L, -2);
}

void room_push_name(lua_State *L, const struct room *r)
{
    lua_pushlstring(L, r->name, r->len);
}

/* The name of the room object at `index`; it lives as long as the object. */
static struct bytes name_of(lua_State *L, int index)
{
    size_t len;
    luaL_checkudata(L, index, ROOM_TYPE);
    lua_getiuservalue(L, index, VALUE_NAME);
    const char *name = lua_tolstring(L, -1, &len);
    lua_pop(L, 1);
    return (struct bytes){(const uint8_t *)name, len};
}

struct room *room_check(lua_State *L, int index, struct bytes *name)
{
    if (index > 1 && lua_type(L, index) != LUA_TSTRING &&
        !luaL_testudata(L, index, ROOM_TYPE))
        luaL_typeerror(L, index, "a room or its name");
    *name = lua_type(L, index) == LUA_TSTRING ? check_name(L, index) : name_of(L, index);
    return world_room(&host_of(L)->world, *name);
}

void room_forget(lua_State *L, struct room *r)
{
    host_push(L, KEY_ANCHORS);
    if (lua_rawgetp(L, -1, r) == LUA_TUSERDATA) {
        lua_pushnil(L);
        lua_setiuservalue(L, -2, VALUE_STATE);
        lua_pushnil(L);
        lua_rawsetp(L, -3, r); /* an existing key: allocates nothing */
    }
    lua_pop(L, 2);
}

/* The client that option `except` of the table at `index` names, or 0. */
static uint64_t check_except(lua_State *L, int index)
{
    uint64_t id = 0;
    if (lua_isnoneornil(L, index))
        return 0;
    luaL_checktype(L, index, LUA_TTABLE);
    if (lua_getfield(L, index, "except") != LUA_TNIL)
        client_check(L, lua_gettop(L), &id);
    lua_pop(L, 1);
    return id;
}

/* room:send(value [, {except=client}]) -> true */
static int send(lua_State *L)
{
    struct bytes name;
    struct room *r = room_check(L, 1, &name);
    uint64_t except = check_except(L, 3);
    struct outframe *f = host_frame(L, 2);
    enum world_result result =
        r ? world_broadcast(&host_of(L)->world, r, except, f) : WORLD_OK;
    outframe_unref(f);
    return host_push_result(L, result, NULL);
}

/* room:members() -> array of clients in order of joining */
static int members(lua_State *L)
{
    struct bytes name;
    const struct world *w = &host_of(L)->world;
    struct room *r = room_check(L, 1, &name);
    lua_createtable(L, r ? (int)r->roster.count : 0, 0);
    if (!r)
        return 1;
    lua_Integer n = 0;
    for (uint32_t m = r->roster.first; m; m = roster_next(&w->roster, ROSTER_ROOM, m)) {
        client_push(L, world_member(w, m));
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

/* The state lives as long as the room does: while somebody is in it, else until the
 * handler ends. */
static int push_state(lua_State *L)
{
    struct bytes name;
    struct room *r = room_check(L, 1, &name);
    if (!r && world_make_room(&host_of(L)->world, name, &r) != WORLD_OK)
        return luaL_error(L, "too many rooms");
    if (lua_getiuservalue(L, 1, VALUE_STATE) == LUA_TTABLE)
        return 1;
    host_push(L, KEY_ANCHORS);
    lua_pushvalue(L, 1);
    lua_rawsetp(L, -2, r);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, VALUE_STATE);
    return 1;
}

/* room.name, .size, .state and the methods */
static int room_index(lua_State *L)
{
    static const char *const fields[] = {"name", "size", "state", NULL};
    struct bytes name;
    struct room *r = room_check(L, 1, &name);
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    if (strcmp(key, "state") == 0)
        return push_state(L);
    if (strcmp(key, "name") == 0) {
        lua_getiuservalue(L, 1, VALUE_NAME);
        return 1;
    }
    if (strcmp(key, "size") == 0) {
        lua_pushinteger(L, r ? r->roster.count : 0);
        return 1;
    }
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL)
        return hint_raise(L, "a room", 2, lua_upvalueindex(1), fields);
    return 1;
}

static int refuse_assignment(lua_State *L)
{
    return luaL_error(L,
                      "a room has no field '%s' to assign: keep your own in room.state",
                      luaL_tolstring(L, 2, NULL));
}

static int room_tostring(lua_State *L)
{
    name_of(L, 1);
    lua_getiuservalue(L, 1, VALUE_NAME);
    lua_pushfstring(L, "room %s", lua_tostring(L, -1));
    return 1;
}

void room_register(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"send", send}, {"members", members}, {NULL, NULL}};
    host_new_type(L, ROOM_TYPE, methods, room_index, refuse_assignment);
    luaL_getmetatable(L, ROOM_TYPE);
    lua_pushcfunction(L, room_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
}
