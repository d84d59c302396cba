/* builtins: made anew for each load, so that nothing a script did to them outlives it. */
#include "script/builtins.h"

#include "script/api_parts.h"
#include "script/host_state.h"
#include "lua/guard.h"
#include "lua/json.h"

#include <lauxlib.h>

int luaopen_cjson_safe(lua_State *L);

void builtins_push_json(lua_State *L)
{
    luaL_requiref(L, "cjson.safe", luaopen_cjson_safe, 0);
    lua_getfield(L, -1, "new");
    lua_call(L, 0, 1);
    lua_remove(L, -2);
    lua_getfield(L, -1, "decode_invalid_numbers");
    lua_pushboolean(L, 0);
    lua_call(L, 1, 0);
    lua_getfield(L, -1, "decode_max_depth");
    lua_pushinteger(L, host_of(L)->setup.json_depth);
    lua_call(L, 1, 0);
    lua_getfield(L, -1, "encode_number_precision");
    lua_pushinteger(L, 14);
    lua_call(L, 1, 0);
    guard_json(L);
}

void builtins_push(lua_State *L)
{
    lua_newtable(L);
    chat_push(L);
    builtins_push_json(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "json");
    lua_setfield(L, -3, "cjson");
    lua_setfield(L, -2, "charlua");
}

void builtins_register(lua_State *L)
{
    luaL_newmetatable(L, JSON_TYPE);
    lua_pushliteral(L, JSON_TYPE);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    client_register(L);
    room_register(L);
    request_register(L);
}
