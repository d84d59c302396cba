/* guard: a function of C code either does so little that the hook between instructions
 * will do (vm.c has it fire more often while there are long strings), or says beforehand
 * how long it will take. What is long by its results is refused. Longer than other
 * files: each function of the libraries that does much has its few lines. */
#include "lua/guard.h"

#include "lua/pattern.h"
#include "lua/vm.h"

#include <lauxlib.h>
#include <string.h>

enum {
    RESULTS_MAX = 10000, /* of one call */
    ELEMENT_NS = 15,     /* to move an element of a table */
    COMPARE_NS = 30,
    DECODE_NS = 30,   /* a byte */
    FLOAT_NS = 20000, /* to write one with 99 digits on either side */
    WALK_NS = 50,
    ENCODE_NS = 300,    /* a number */
    VALUE_BYTES = 48,   /* a number, its key and what stands between */
    ENCODE_DEPTH = 100, /* then lua-cjson says that it is too deep */
};

int guard_original(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* setmetatable without __gc: finalizers run whenever memory is short, without hook or
 * budget. One that is added to the metatable later has no effect in Lua (manual 2.5.3).
 */
static int set_metatable(lua_State *L)
{
    int type = lua_type(L, 2);
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
    lua_settop(L, 2);
    if (type == LUA_TTABLE) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL)
            return luaL_error(
                L, "scripts have no __gc: free what you hold in on_close or a timer");
        lua_pop(L, 1);
    }
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "cannot change a protected metatable");
    lua_setmetatable(L, 1);
    return 1;
}

/* xpcall whose handler runs after the error has unwound, when the hook is active again.
 */
static int finish_xpcall(lua_State *L, int status, lua_KContext ctx)
{
    (void)ctx;
    if (status == LUA_OK || status == LUA_YIELD) {
        lua_pushboolean(L, 1);
        lua_replace(L, 2);
        return lua_gettop(L) - 1;
    }
    lua_pushboolean(L, 0);
    lua_insert(L, 1); /* false, handler, ..., error */
    lua_insert(L, 3); /* false, handler, error, ... */
    lua_settop(L, 3);
    lua_call(L, 1, 1);
    return 2;
}

static int safe_xpcall(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TFUNCTION);
    int n = lua_gettop(L);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 1);
    lua_replace(L, 2);
    lua_replace(L, 1); /* handler, function, arguments... */
    lua_pushnil(L);    /* finish_xpcall's slot 2 */
    lua_insert(L, 2);
    int status = lua_pcallk(L, n - 2, LUA_MULTRET, 0, 0, finish_xpcall);
    return finish_xpcall(L, status, 0);
}

/* --- coroutines ---------------------------------------------------------- */

static lua_State *check_coroutine(lua_State *L, int index)
{
    lua_State *co = lua_tothread(L, index);
    luaL_argexpected(L, co, index, "coroutine");
    return co;
}

static bool has_failed(lua_State *co)
{
    return lua_status(co) != LUA_OK && lua_status(co) != LUA_YIELD;
}

/* coroutine.create, and the beginning of wrap. A coroutine starts its own count to the
 * hook: nests of them would never see it, so that each is some work. */
static int create_coroutine(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    vm_work(vm_of(L), L, 1000);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    return 1;
}

/* Resumes `co` with the `n` values on top. Returns the number of results that are pushed,
 * or -1: the error is. */
static int resume(lua_State *L, lua_State *co, int n)
{
    struct vm *vm = vm_of(L);
    int results = 0;
    vm_work(vm, L, 200);
    if (!lua_checkstack(co, n)) {
        lua_pushliteral(L, "too many arguments to resume");
        return -1;
    }
    lua_xmove(L, co, n);
    lua_State *before = vm_run(vm, co);
    int status = lua_resume(co, L, n, &results);
    vm_run(vm, before);
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_xmove(co, L, 1);
        return -1;
    }
    if (!lua_checkstack(L, results + 2)) {
        lua_pop(co, results);
        lua_pushliteral(L, "too many results to resume");
        return -1;
    }
    lua_xmove(co, L, results);
    return results;
}

static int resume_coroutine(lua_State *L)
{
    lua_State *co = check_coroutine(L, 1);
    int results = resume(L, co, lua_gettop(L) - 1);
    lua_pushboolean(L, results >= 0);
    lua_insert(L, -(results < 0 ? 2 : results + 1));
    return results < 0 ? 2 : results + 1;
}

/* What coroutine.wrap returns; upvalue 1 is the coroutine. */
static int resume_wrapped(lua_State *L)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    int results = resume(L, co, lua_gettop(L));
    if (results >= 0)
        return results;
    if (has_failed(co) && /* else it runs: who resumes itself, or its resumer */
        !vm_of(L)->expired) {
        lua_pop(L, 1);
        vm_reset(vm_of(L), co);
        lua_xmove(co, L, 1);
    }
    if (lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int wrap_coroutine(lua_State *L)
{
    create_coroutine(L);
    lua_pushcclosure(L, resume_wrapped, 1);
    return 1;
}

/* coroutine.close for coroutines that did not fail: in one that did, __close would run
 * without the hook. Upvalue 1 is the library's. */
static int close_coroutine(lua_State *L)
{
    struct vm *vm = vm_of(L);
    if (has_failed(check_coroutine(L, 1))) {
        lua_pushboolean(L, 0);
        lua_pushliteral(L, "the coroutine has failed");
        return 2;
    }
    vm_work(vm, L, 200);
    return guard_original(L);
}

/* --- tables -------------------------------------------------------------- */

/* The length of the table at 1: what it holds; __len could say another one each time it
 * is asked. */
static lua_Integer check_length(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argcheck(L, luaL_getmetafield(L, 1, "__len") == LUA_TNIL, 1,
                  "a table with __len is not taken here");
    return (lua_Integer)lua_rawlen(L, 1);
}

/* table.insert and remove: with a position they move what is behind it. */
static int move_rest(lua_State *L)
{
    lua_Integer length = check_length(L), at = length;
    if (lua_gettop(L) > 1 && lua_isinteger(L, 2))
        at = lua_tointeger(L, 2);
    vm_work(vm_of(L), L,
            at > 0 && at < length ? (uint64_t)(length - at) * ELEMENT_NS : ELEMENT_NS);
    return guard_original(L);
}

static int move_table(lua_State *L)
{
    lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3);
    lua_Unsigned n = last < first ? 0 : (lua_Unsigned)last - (lua_Unsigned)first;
    luaL_argcheck(L, n < LUA_MAXINTEGER / ELEMENT_NS, 3, "too many elements to move");
    vm_work(vm_of(L), L, n * ELEMENT_NS);
    return guard_original(L);
}

/* The order of table.sort when the script gave no function of its own, in which the hook
 * fires. */
static int compare(lua_State *L)
{
    uint64_t bytes = lua_type(L, 1) == LUA_TSTRING ? lua_rawlen(L, 1) : 0;
    vm_work(vm_of(L), L, COMPARE_NS + bytes / 8);
    lua_pushboolean(L, lua_compare(L, 1, 2, LUA_OPLT));
    return 1;
}

/* The same with a C function of the libraries, upvalue 1. */
static int compare_by(lua_State *L)
{
    vm_work(vm_of(L), L, COMPARE_NS);
    return guard_original(L);
}

static int sort_table(lua_State *L)
{
    (void)check_length(L);
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_pushcfunction(L, compare);
        lua_replace(L, 2);
    } else if (lua_iscfunction(L, 2)) {
        lua_pushvalue(L, 2);
        lua_pushcclosure(L, compare_by, 1);
        lua_replace(L, 2);
    }
    return guard_original(L);
}

static int concat_table(lua_State *L)
{
    struct vm *vm = vm_of(L);
    size_t separator;
    luaL_Buffer b;
    lua_Integer last = check_length(L);
    const char *between = luaL_optlstring(L, 2, "", &separator);
    lua_Integer i = luaL_optinteger(L, 3, 1);
    last = luaL_optinteger(L, 4, last);
    lua_settop(L, 2);
    luaL_buffinit(L, &b);
    for (bool more = i <= last; more; more = i++ < last) {
        if (lua_geti(L, 1, i) != LUA_TSTRING && !lua_isnumber(L, -1))
            return luaL_error(L, "invalid value (%s) at index %I in table for 'concat'",
                              luaL_typename(L, -1), (LUAI_UACINT)i);
        vm_work(vm, L, COMPARE_NS + lua_rawlen(L, -1) / 4);
        luaL_addvalue(&b);
        if (i < last)
            luaL_addlstring(&b, between, separator);
        vm_check_string(vm, L, luaL_bufflen(&b));
    }
    luaL_pushresult(&b);
    return 1;
}

/* The range of a call that returns a value for each of it. */
static void check_results(lua_State *L, lua_Integer first, lua_Integer last,
                          const char *message)
{
    if (last >= first && (lua_Unsigned)last - (lua_Unsigned)first >= RESULTS_MAX)
        luaL_error(L, "%s (%d are the most)", message, RESULTS_MAX);
}

static int unpack_table(lua_State *L)
{
    lua_Integer first = luaL_optinteger(L, 2, 1);
    lua_Integer last = lua_isnoneornil(L, 3) ? luaL_len(L, 1) : luaL_checkinteger(L, 3);
    check_results(L, first, last, "too many results to unpack");
    int n = last < first ? 0 : (int)(last - first) + 1;
    luaL_checkstack(L, n, "too many results to unpack");
    for (int i = 0; i < n; i++)
        lua_geti(L, 1, first + i);
    return n;
}

/* --- strings ------------------------------------------------------------- */

/* string.rep: what is there already is doubled, which is as fast as memory. */
static int repeat_string(lua_State *L)
{
    struct vm *vm = vm_of(L);
    size_t len, separator;
    luaL_Buffer b;
    const char *s = luaL_checklstring(L, 1, &len);
    lua_Integer n = luaL_checkinteger(L, 2);
    const char *between = luaL_optlstring(L, 3, "", &separator);
    size_t unit = len + separator;
    if (n <= 0 || unit == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    bool fits = (size_t)n <= (vm_string_max(vm) + separator) / unit;
    vm_check_string(vm, L, fits ? 0 : SIZE_MAX);
    size_t total = (size_t)n * unit - separator;
    vm_work(vm, L, total / 2);
    char *to = luaL_buffinitsize(L, &b, total + separator);
    memcpy(to, s, len);
    memcpy(to + len, between, separator);
    for (size_t done = unit, more; done < total; done += more) {
        more = done < total - done ? done : total - done;
        memcpy(to + done, to, more);
    }
    luaL_pushresultsize(&b, total);
    return 1;
}

/* string.format and pack: several strings may make one that is too long. */
static int format_string(lua_State *L)
{
    struct vm *vm = vm_of(L);
    size_t total = 0;
    uint64_t floats = 0;
    for (int i = lua_gettop(L); i > 0; i--) {
        total += lua_type(L, i) == LUA_TSTRING ? lua_rawlen(L, i) : 0;
        floats += lua_type(L, i) == LUA_TNUMBER && !lua_isinteger(L, i);
    }
    vm_work(vm, L, floats * FLOAT_NS);
    vm_check_string(vm, L, total);
    return guard_original(L);
}

/* Where `at` of a string of `len` bytes is, from 1; negative counts from the end. */
static lua_Integer position(lua_Integer at, size_t len)
{
    if (at >= 0)
        return at;
    return at < -(lua_Integer)len ? 0 : (lua_Integer)len + at + 1;
}

static int string_byte(lua_State *L)
{
    size_t len;
    const char *s = luaL_checklstring(L, 1, &len);
    lua_Integer given = luaL_optinteger(L, 2, 1);
    lua_Integer first = position(given, len);
    lua_Integer last = position(luaL_optinteger(L, 3, given), len);
    first = first < 1 ? 1 : first;
    last = last > (lua_Integer)len ? (lua_Integer)len : last;
    check_results(L, first, last, "string slice too long");
    int n = last < first ? 0 : (int)(last - first) + 1;
    luaL_checkstack(L, n, "string slice too long");
    for (int i = 0; i < n; i++)
        lua_pushinteger(L, (unsigned char)s[first + i - 1]);
    return n;
}

static int utf8_codepoint(lua_State *L)
{
    size_t len;
    luaL_checklstring(L, 1, &len);
    lua_Integer first = position(luaL_optinteger(L, 2, 1), len);
    check_results(L, first, position(luaL_optinteger(L, 3, first), len),
                  "string slice too long");
    return guard_original(L);
}

static int unpack_string(lua_State *L)
{
    size_t len;
    luaL_checklstring(L, 1, &len);
    check_results(L, 1, (lua_Integer)len, "too many results");
    return guard_original(L);
}

/* --- walks --------------------------------------------------------------- */

/* next: in a table that was emptied a step may be long, so that the clock is looked at
 * now and then. */
static int next_pair(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    vm_work(vm_of(L), L, VM_WORK_NS / 32);
    if (lua_next(L, 1))
        return 2;
    lua_pushnil(L);
    return 1;
}

static int continue_pairs(lua_State *L, int status, lua_KContext context)
{
    (void)L, (void)status, (void)context;
    return 3;
}

static int pairs(lua_State *L)
{
    luaL_checkany(L, 1);
    if (luaL_getmetafield(L, 1, "__pairs") == LUA_TNIL) {
        lua_pushvalue(L, lua_upvalueindex(1)); /* next */
        lua_pushvalue(L, 1);
        lua_pushnil(L);
    } else {
        lua_pushvalue(L, 1);
        lua_callk(L, 1, 3, 0, continue_pairs);
    }
    return 3;
}

/* --- JSON ---------------------------------------------------------------- */

static int decode_json(lua_State *L)
{
    size_t len;
    luaL_checklstring(L, 1, &len);
    vm_work(vm_of(L), L, len * DECODE_NS);
    return guard_original(L);
}

struct cost {
    size_t bytes;
    uint64_t ns;
};

/* Adds what lua-cjson will at most write for the value at `index`, and take. What nests
 * too deeply it refuses itself. False: it is too much. */
static bool measure(lua_State *L, struct vm *vm, int index, struct cost *c, int depth)
{
    size_t len = lua_type(L, index) == LUA_TSTRING ? lua_rawlen(L, index) : 0;
    vm_work(vm, L, WALK_NS);
    c->bytes += VALUE_BYTES + len * 6; /* \uXXXX */
    c->ns += ENCODE_NS + len * 2;
    if (c->bytes > vm_string_max(vm))
        return false;
    if (!lua_istable(L, index) || depth > ENCODE_DEPTH)
        return true;
    luaL_checkstack(L, 4, "JSON");
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
        if ((lua_type(L, -2) == LUA_TSTRING &&
             !measure(L, vm, lua_gettop(L) - 1, c, 0)) ||
            !measure(L, vm, lua_gettop(L), c, depth + 1))
            return false;
    return true;
}

/* lua-cjson builds the text in memory of its own, and ends the program if there is none.
 */
static int encode_json(lua_State *L)
{
    struct cost cost = {0};
    struct vm *vm = vm_of(L);
    luaL_argcheck(L, lua_gettop(L) == 1, 1, "expected 1 argument");
    if (!measure(L, vm, 1, &cost, 0)) {
        lua_pushnil(L);
        lua_pushliteral(L, "the JSON would be too long");
        return 2;
    }
    vm_work(vm, L, cost.ns);
    return guard_original(L);
}

/* --- in their places ----------------------------------------------------- */

void guard_field(lua_State *L, const char *name, lua_CFunction f)
{
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, f, 1);
    lua_setfield(L, -2, name);
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

void guard_strings(lua_State *L)
{
    pattern_register(L);
    lua_pushcfunction(L, repeat_string);
    lua_setfield(L, -2, "rep");
    guard_field(L, "format", format_string);
    guard_field(L, "pack", format_string);
    guard_field(L, "byte", string_byte);
    guard_field(L, "unpack", unpack_string);
}

void guard_register(lua_State *L)
{
    lua_pushcfunction(L, set_metatable);
    lua_setfield(L, -2, "setmetatable");
    lua_pushcfunction(L, safe_xpcall);
    lua_setfield(L, -2, "xpcall");
    lua_pushcfunction(L, next_pair);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "next");
    lua_pushcclosure(L, pairs, 1);
    lua_setfield(L, -2, "pairs");
    lua_getfield(L, -1, "coroutine");
    guard_field(L, "create", create_coroutine);
    guard_field(L, "resume", resume_coroutine);
    guard_field(L, "wrap", wrap_coroutine);
    guard_field(L, "close", close_coroutine);
    lua_pop(L, 1);
    lua_getfield(L, -1, "string");
    guard_strings(L);
    lua_pop(L, 1);
    lua_getfield(L, -1, "table");
    guard_field(L, "insert", move_rest);
    guard_field(L, "remove", move_rest);
    guard_field(L, "move", move_table);
    guard_field(L, "sort", sort_table);
    guard_field(L, "concat", concat_table);
    guard_field(L, "unpack", unpack_table);
    lua_pop(L, 1);
    lua_getfield(L, -1, "utf8");
    guard_field(L, "codepoint", utf8_codepoint);
    lua_pop(L, 1);
}
