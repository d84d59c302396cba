/* api: one place for what every function of the API has to do in the same way. */
#include "script/api.h"

#include "script/objects.h"

#include "base/clock.h"
#include "lua/json.h"
#include "wire/utf8.h"

#include <string.h>

void api_new_type(lua_State *L, const char *type, const char *instead,
                  const luaL_Reg *methods, lua_CFunction index, lua_CFunction newindex)
{
    luaL_newmetatable(L, type);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_pushcclosure(L, index, 1);
    lua_setfield(L, -2, "__index");
    if (newindex) {
        lua_pushcfunction(L, newindex);
        lua_setfield(L, -2, "__newindex");
    }
    lua_pushstring(L, instead);
    lua_setfield(L, -2, JSON_INSTEAD);
    lua_pushstring(L, type);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

void api_reach_limit(struct host *h, enum limit which, const struct client *c)
{
    limit_reached(h->setup.stats->limits, which, c ? &c->addr : NULL, clock_ms(),
                  h->setup.log);
}

int api_push_result(lua_State *L, enum world_result result, const char *full)
{
    switch (result) {
    case WORLD_OK:
    case WORLD_ALREADY:
        lua_pushboolean(L, 1);
        return 1;
    case WORLD_FULL:
        lua_pushnil(L);
        lua_pushstring(L, full);
        return 2;
    case WORLD_NO_MEMORY:
        break;
    }
    return luaL_error(L, "not enough memory");
}

/* Before a message of `len` bytes is looked at: it fits, and it is paid for. */
static void check_size(lua_State *L, size_t len)
{
    const struct host_setup *setup = &host_of(L)->setup;
    if (len > setup->frame_max)
        luaL_error(L,
                   "%I bytes are too large to send: a message may have %I, which is 16 "
                   "MiB or --max-queue (%I) if that is more",
                   (LUAI_UACINT)len, (LUAI_UACINT)setup->frame_max,
                   (LUAI_UACINT)setup->queue_max);
    budget_work(L, 100 + len / 2);
}

struct outframe *api_frame_new(lua_State *L, enum ws_opcode op, struct bytes payload)
{
    check_size(L, payload.len);
    struct outframe *f = outframe_new(op, payload);
    if (!f)
        luaL_error(L, "not enough memory");
    return f;
}

struct outframe *api_frame(lua_State *L, int index)
{
    struct host *h = host_of(L);
    struct bytes payload = json_text(L, index);
    if (lua_type(L, index) == LUA_TSTRING) {
        payload.at = (const uint8_t *)lua_tolstring(L, index, &payload.len);
        check_size(L, payload.len);
        if (!utf8_is_valid(payload))
            luaL_argerror(L, index, "a text is UTF-8; send_binary takes any bytes");
    } else if (!payload.at) {
        luaL_argcheck(L, lua_istable(L, index) || lua_isuserdata(L, index), index,
                      "a table, a chat.object or a string of JSON");
        h->text.len = 0;
        json_encode(L, index, &h->text, h->setup.frame_max, NULL);
        payload = buf_bytes(&h->text);
    }
    return api_frame_new(L, WS_TEXT, payload);
}

void api_check_fields(lua_State *L, int index, const char *who, const char *const *names)
{
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        int i = 0;
        while (names[i] && strcmp(names[i], name) != 0)
            i++;
        if (names[i])
            continue;
        lua_pushstring(L, names[0]);
        for (i = 1; names[i]; i++)
            lua_pushfstring(L, "%s, %s", lua_tostring(L, -1), names[i]);
        luaL_error(L, "%s takes no '%s'; there are %s", who, name, lua_tostring(L, -1));
    }
}

uint64_t api_check_except(lua_State *L, int index, const char *who)
{
    static const char *const names[] = {"except", NULL};
    uint64_t id = 0;
    if (lua_isnoneornil(L, index))
        return 0;
    if (luaL_testudata(L, index, CLIENT_TYPE))
        luaL_argerror(L, index, "say {except = client}");
    luaL_checktype(L, index, LUA_TTABLE);
    api_check_fields(L, index, who, names);
    client_option(L, index, "except", false, &id);
    return id;
}

void api_check_piece(lua_State *L, int index, const char *who, struct api_piece *out)
{
    static const char *const names[] = {"after", "limit", NULL};
    *out = (struct api_piece){.limit = LUA_MAXINTEGER};
    if (lua_isnoneornil(L, index))
        return;
    luaL_checktype(L, index, LUA_TTABLE);
    api_check_fields(L, index, who, names);
    if (lua_getfield(L, index, "limit") != LUA_TNIL) {
        out->limit = lua_tointeger(L, -1); /* JSON's numbers are floats */
        luaL_argcheck(L, out->limit >= 1, index, "limit is an integer from 1 on");
    }
    lua_pop(L, 1);
    client_option(L, index, "after", true, &out->after);
}
