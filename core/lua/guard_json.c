/* guard_json: lua-cjson. */
#include "lua/guard.h"

#include "lua/vm.h"

#include <lauxlib.h>
#include <string.h>

enum {
    DECODE_NS = 30, /* a byte */
    WALK_NS = 50,
    ENCODE_NS = 300,    /* a number */
    VALUE_BYTES = 48,   /* a number, its key and what stands between */
    ENCODE_DEPTH = 100, /* then lua-cjson says that it is too deep */
};

static int decode_json(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len), *nul = memchr(text, 0, len);
    budget_work(L, len * DECODE_NS);
    if (nul) { /* it ends the text for lua-cjson, and would hide what comes then */
        lua_pushnil(L);
        lua_pushfstring(L, "a NUL is no JSON: found at character %I",
                        (LUAI_UACINT)(nul - text) + 1);
        return 2;
    }
    return guard_original(L);
}

struct cost {
    size_t bytes;
    uint64_t ns;
};

/* Adds what lua-cjson will at most write for the value at `index`, and take. What nests
 * too deeply it refuses itself. False: it is too much. */
static bool measure(lua_State *L, int index, struct cost *c, int depth)
{
    size_t len = lua_type(L, index) == LUA_TSTRING ? lua_rawlen(L, index) : 0;
    budget_work(L, WALK_NS);
    c->bytes += VALUE_BYTES + len * 6; /* \uXXXX */
    c->ns += ENCODE_NS + len * 2;
    if (c->bytes > vm_string_max(vm_of(L)))
        return false;
    if (!lua_istable(L, index) || depth > ENCODE_DEPTH)
        return true;
    luaL_checkstack(L, 4, "JSON");
    for (lua_pushnil(L); budget_walk(L), lua_next(L, index); lua_pop(L, 1))
        if ((lua_type(L, -2) == LUA_TSTRING && !measure(L, lua_gettop(L) - 1, c, 0)) ||
            !measure(L, lua_gettop(L), c, depth + 1))
            return false;
    return true;
}

/* lua-cjson builds the text in memory of its own, and ends the program if there is none.
 */
static int encode_json(lua_State *L)
{
    struct cost cost = {0};
    luaL_argcheck(L, lua_gettop(L) == 1, 1, "expected 1 argument");
    if (!measure(L, 1, &cost, 0)) {
        lua_pushnil(L);
        lua_pushliteral(L, "the JSON would be too long");
        return 2;
    }
    budget_work(L, cost.ns);
    return guard_original(L);
}

void guard_json(lua_State *L)
{
    /* Its settings are ours: with other ones it could overflow the C stack. */
    static const char *const settings[] = {
        "new",
        "encode_max_depth",
        "decode_max_depth",
        "encode_sparse_array",
        "encode_keep_buffer",
        "encode_number_precision",
        "encode_invalid_numbers",
        "decode_invalid_numbers",
    };
    guard_field(L, "decode", decode_json);
    guard_field(L, "encode", encode_json);
    lua_getfield(L, -1, "encode_max_depth");
    lua_pushinteger(L, ENCODE_DEPTH);
    lua_call(L, 1, 0);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        lua_pushnil(L);
        lua_setfield(L, -2, settings[i]);
    }
}
