/* objects: an object is made when it is first asked for, and there is one for each. */
#include "script/objects.h"

#include "wire/utf8.h"

#include <assert.h>
#include <lauxlib.h>
#include <string.h>

/* More would need 5 GB of Lua. */
enum { OBJECTS_MAX = 1 << 27 };

void client_push(lua_State *L, struct client *c)
{
    budget_work(L, 60); /* there are arrays of all of them */
    host_push(L, KEY_CLIENTS);
    if (c->object) {
        lua_rawgeti(L, -1, c->object);
    } else {
        uint64_t *id = lua_newuserdatauv(L, sizeof *id, 1);
        *id = c->id;
        luaL_setmetatable(L, CLIENT_TYPE);
        lua_pushvalue(L, -1);
        int reference = luaL_ref(L, -3);
        assert(reference > 0 && reference < OBJECTS_MAX);
        c->object = (uint32_t)reference & (OBJECTS_MAX - 1);
    }
    lua_remove(L, -2);
}

void client_forget(lua_State *L, struct client *c)
{
    if (!c->object)
        return;
    host_push(L, KEY_CLIENTS);
    luaL_unref(L, -1, (int)c->object); /* existing keys: allocates nothing */
    lua_pop(L, 1);
    c->object = 0;
}

void client_push_state(lua_State *L, const struct client *c)
{
    if (!c->object) {
        lua_pushnil(L);
        return;
    }
    host_push(L, KEY_CLIENTS);
    lua_rawgeti(L, -1, c->object);
    lua_getiuservalue(L, -1, CLIENT_STATE);
    lua_replace(L, -3);
    lua_pop(L, 1);
}

void *object_check(lua_State *L, int index, const char *type)
{
    void *object = luaL_testudata(L, index, type);
    const char *name = strchr(type, '.') + 1;
    if (!object)
        luaL_argerror(L, index,
                      lua_pushfstring(L,
                                      "a %s expected, got %s: write %s:METHOD(...), "
                                      "with a colon",
                                      name, luaL_typename(L, index), name));
    return object;
}

struct client *client_check(lua_State *L, int index, uint64_t *id)
{
    uint64_t *object = object_check(L, index, CLIENT_TYPE);
    *id = *object;
    return world_client(&host_of(L)->world, *object);
}

bool client_option(lua_State *L, int index, const char *name, bool or_id, uint64_t *id)
{
    int type = lua_getfield(L, index, name), is_integer = 0;
    lua_Integer integer = or_id ? lua_tointegerx(L, -1, &is_integer) : 0;
    const uint64_t *object = luaL_testudata(L, -1, CLIENT_TYPE);
    if (type != LUA_TNIL && !is_integer && !object)
        luaL_argerror(L, index,
                      lua_pushfstring(L, "%s is a client%s, got %s", name,
                                      or_id ? " or its id" : "", luaL_typename(L, -1)));
    if (type != LUA_TNIL)
        *id = object ? *object : (uint64_t)integer;
    lua_pop(L, 1);
    return type != LUA_TNIL;
}

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
    budget_work(L, 100); /* there are arrays of all of them */
    host_push(L, KEY_ROOMS);
    lua_pushvalue(L, index);
    if (lua_rawget(L, -2) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_newuserdatauv(L, 0, 2);
        lua_pushvalue(L, index);
        lua_setiuservalue(L, -2, ROOM_NAME);
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
    object_check(L, index, ROOM_TYPE);
    lua_getiuservalue(L, index, ROOM_NAME);
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
        lua_setiuservalue(L, -2, ROOM_STATE);
        lua_pushnil(L);
        lua_rawsetp(L, -3, r); /* an existing key: allocates nothing */
    }
    lua_pop(L, 2);
}
