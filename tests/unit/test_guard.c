/* guard: whatever a guarded function is given, it does what the library's own does; and
 * what takes long in C says so before, however its arguments are written. */
#include "lua/sandbox.h"
#include "lua/vm.h"
#include "unit.h"

#include <lauxlib.h>
#include <lualib.h>

enum { MEMORY = 256 << 20 };

/* Returns what code(value) does as text, without addresses. */
static const char program[] =
    "local code, value = ...\n"
    "local function show(v, depth)\n"
    "  if type(v) == 'table' and (depth or 0) < 3 then\n"
    "    local out, keys = {}, {}\n"
    "    for k in pairs(v) do keys[#keys + 1] = k end\n"
    "    table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)\n"
    "    for i, k in ipairs(keys) do out[i] = show(k) .. '=' .. show(v[k], (depth or 0) "
    "+ 1) "
    "end\n"
    "    return '{' .. table.concat(out, ',') .. '}'\n"
    "  end\n"
    "  if type(v) == 'string' or type(v) == 'number' then\n"
    "    return (math.type(v) or '') .. (#tostring(v) > 200 and '#' .. #v or "
    "('%q'):format(v))\n"
    "  end\n"
    "  return (tostring(v):gsub('0x%x+', ''))\n"
    "end\n"
    "local V = assert(load('return ' .. value))()\n"
    "local f = assert(load('local V = ... return ' .. code, '=f'))\n"
    "local results = table.pack(pcall(f, V))\n"
    "for i = 1, results.n do results[i] = show(results[i]) end\n"
    "return (table.concat(results, ' '):gsub('0x%x%x%x%x%x%x+', ''))\n";

static struct {
    struct vm ours;
    lua_State *theirs;
} both;

static int load_ours(lua_State *L)
{
    sandbox_push(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, "globals");
    assert_int_equal(luaL_loadbufferx(L, program, sizeof program - 1, "=p", "t"), LUA_OK);
    lua_insert(L, -2);
    lua_setupvalue(L, -2, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "program");
    return 0;
}

static int open_both(void **state)
{
    static const double now = 1407865830;
    char error[VM_ERROR_SIZE];
    (void)state;
    assert_int_equal(sandbox_open(&both.ours, MEMORY, NULL), 0);
    both.ours.now = &now;
    assert_int_equal(vm_call(&both.ours, load_ours, NULL, error), 0);
    both.theirs = luaL_newstate();
    luaL_openlibs(both.theirs);
    assert_int_equal(
        luaL_loadbufferx(both.theirs, program, sizeof program - 1, "=p", "t"), LUA_OK);
    lua_setfield(both.theirs, LUA_REGISTRYINDEX, "program");
    return 0;
}

static int close_both(void **state)
{
    (void)state;
    vm_close(&both.ours);
    lua_close(both.theirs);
    return 0;
}

static const char *play(lua_State *L, const char *code, const char *value)
{
    lua_settop(L, 0);
    lua_getfield(L, LUA_REGISTRYINDEX, "program");
    lua_pushstring(L, code);
    lua_pushstring(L, value);
    lua_pcall(L, 2, 1, 0);
    return lua_tostring(L, -1);
}

/* --- the same results ---------------------------------------------------- */

/* What an argument may be: integers in every spelling that Lua takes for one, and what is
 * none or absurd. */
static const char *const values[] = {
    "1",
    "1.0",
    "'1'",
    "' 0x1 '",
    "'1e0'",
    "2",
    "3.0",
    "'3'",
    "4",
    "5.0",
    "0",
    "-0.0",
    "'-1'",
    "-1",
    "-3.0",
    "-100",
    "1.5",
    "'1.5'",
    "'x'",
    "''",
    "2^53",
    "2^63",
    "-2^63",
    "1e308",
    "0/0",
    "1/0",
    "math.maxinteger",
    "math.mininteger",
    "'0x7fffffffffffffff'",
    "nil",
    "true",
    "{}",
    "{ 3, 1, 2 }",
    "print",
    "'aeiou'",
    "'%d'",
    "'!%Y'",
    "'i4'",
    "'c3'",
    "'\\xE4\\xF6'",
    "'\\u{E4}\\u{F6}\\u{FC}'",
    "setmetatable({}, { __index = { 7, 8 } })",
    "function(a, b) return a > b end",
    "setmetatable({}, { __tostring = function() return 'T' end })",
};

static const char *const calls[] = {
    "(function() local t = { 1, 2, 3 } return table.insert(t, V), t end)()",
    "(function() local t = { 1, 2, 3 } return table.insert(t, V, 'x'), t end)()",
    "(function() local t = { 1, 2, 3 } return table.insert(t, 1, V), t end)()",
    "(function() local t = { 1, 2, 3 } return table.insert(t, 1, V, 2), t end)()",
    "table.insert(V, 1)",
    "table.insert(V)",
    "table.insert(V, 1, 1)",
    "(function() local t = { 1, 2, 3 } return table.remove(t, V), t end)()",
    "(function() local t = {} return table.remove(t, V), t end)()",
    "table.remove(V)",
    "table.remove(V, 1)",
    "(function() local t = { 1, 2, 3 } return table.move(t, V, 3, 2) end)()",
    "(function() local t = { 1, 2, 3 } return table.move(t, 1, V, 2) end)()",
    "(function() local t = { 1, 2, 3 } return table.move(t, 1, 3, V) end)()",
    "(function() local t = { 1, 2, 3 } return table.move(t, 2, 3, 1, V) end)()",
    "table.move(V, 1, 2, 1)",
    "table.concat({ 1, 2.5, 'x' }, V)",
    "table.concat({ 1, 2, 3 }, ',', V)",
    "table.concat({ 1, 2, 3 }, ',', 1, V)",
    "table.concat({ 1, 2, 3 }, ',', V, 3)",
    "table.concat(V)",
    "table.concat({ V }, ',')",
    "table.unpack({ 1, 2, 3 }, V)",
    "table.unpack({ 1, 2, 3 }, 1, V)",
    "table.unpack(V)",
    "table.unpack(V, 1, 2)",
    "table.pack(V)",
    "(function() local t = { 2, 1 } table.sort(t, V) return t end)()",
    "(function() table.sort(V) return V end)()",
    "('ab'):rep(V)",
    "('ab'):rep(2, V)",
    "string.rep(V, 2)",
    "('aeiou'):byte(V)",
    "('aeiou'):byte(1, V)",
    "('aeiou'):byte(V, 3)",
    "string.byte(V)",
    "('aeiou'):sub(V)",
    "('aeiou'):sub(1, V)",
    "string.sub(V, 1)",
    "string.upper(V)",
    "string.lower(V)",
    "string.reverse(V)",
    "string.len(V)",
    "string.char(V)",
    "string.char(65, V)",
    "string.format(V)",
    "string.format(V, 1)",
    "('%d'):format(V)",
    "('%s'):format(V)",
    "('%5.2f'):format(V)",
    "('%q'):format(V)",
    "('%x'):format(V)",
    "('%c'):format(V)",
    "('%g %i'):format(V, V)",
    "('%10s|'):format(V)",
    "('%%%s'):format(V)",
    "('%y'):format(V)",
    "('%'):format(V)",
    "('%.3s'):format(V)",
    "string.pack('i4', V)",
    "string.pack('s1', V)",
    "string.pack('d', V)",
    "string.pack('z', V)",
    "string.pack('c5', V)",
    "string.pack(V, 1)",
    "string.pack(V, 'x')",
    "string.unpack('i1', 'aeiou', V)",
    "string.unpack('z', V)",
    "string.unpack(V, 'aeiou')",
    "string.packsize(V)",
    "string.unpack('s1', '\\3abc')",
    "('aeiou'):find(V)",
    "('aeiou'):find('[aeiou]', V)",
    "('aeiou'):find('o', V, true)",
    "('aeiou'):find('o', 1, V)",
    "string.find(V, 'a')",
    "('aeiou'):match('.', V)",
    "('aeiou'):gsub('.', 'x', V)",
    "('aeiou'):gsub('.', V)",
    "('aeiou'):gsub(V, 'x')",
    "('aeiou'):gmatch('.', V)()",
    "string.gmatch(V, '.')()",
    "utf8.char(V)",
    "utf8.codepoint('\\u{E4}\\u{F6}', V)",
    "utf8.codepoint('\\u{E4}\\u{F6}', 1, V)",
    "utf8.codepoint(V)",
    "utf8.codepoint(V, 1, -1, true)",
    "utf8.len('\\u{E4}\\u{F6}', V)",
    "utf8.len('\\u{E4}\\u{F6}', 1, V)",
    "utf8.len(V)",
    "utf8.len(V, 1, -1, true)",
    "utf8.offset('\\u{E4}\\u{F6}', V)",
    "utf8.offset('\\u{E4}\\u{F6}', 1, V)",
    "utf8.offset(V, 1)",
    "(function(n) for p, c in utf8.codes(V) do n = n * 7 + p + c end return n end)(0)",
    "tonumber(V)",
    "tonumber(V, 16)",
    "tonumber('1f', V)",
    "tostring(V)",
    "select(V, 1, 2, 3)",
    "next({ 1 }, V)",
    "next(V)",
    "type(pairs(V))",
    "(function() local n = 0 for _ in pairs(V) do n = n + 1 end return n end)()",
    "(function() local n = 0 for _ in ipairs(V) do n = n + 1 end return n end)()",
    "setmetatable({}, V)",
    "setmetatable(V, {})",
    "getmetatable(V)",
    "rawlen(V)",
    "rawequal(V, V)",
    "xpcall(V, tostring)",
    "xpcall(error, tostring, V)",
    "pcall(V)",
    "coroutine.create(V)",
    "coroutine.wrap(V)",
    "coroutine.resume(V)",
    "coroutine.wrap(function(...) return ... end)(V)",
    "coroutine.close(V)",
    "load(V, '=x')",
    "os.date('!%Y', V)",
    "os.date(V, 0)",
    "os.time(V)",
    "os.time { year = 2014, month = V, day = 1 }",
    "os.difftime(V, 0)",
    "V + 1",
    "V | 1",
    "V .. 'x'",
    "V < 2",
    "#V",
    "-V",
    "math.floor(V)",
    "math.max(1, V)",
    "math.tointeger(V)",
    "math.ult(V, 1)",
    "math.fmod(7, V)",
};

/* What ours refuses for its size alone, which the library would try. */
static bool is_refused(const char *said)
{
    return strstr(said, "out of time") || strstr(said, "not enough memory") ||
           strstr(said, "are the most)");
}

/* Functions of C that scripts have differently, as scripts/README.md says. */
static bool is_known(const char *call, const char *value, const char *said)
{
    return strcmp(said, "true \"string\"") == 0 || /* the metatable of strings */
           strstr(call, "load(V") /* takes text alone */ ||
           strstr(said, "too many elements to move") || (strcmp(value, "print") == 0) ||
           (strstr(call, "table.remove(t, V)") && /* 5.4.4 names the wrong argument */
            strstr(said, "position out of bounds")) ||
           (strstr(call, "os.") && strcmp(value, "nil") == 0) /* the turn's time */;
}

static void results_are_the_librarys_own(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < COUNT(calls); i++) {
        for (size_t j = 0; j < COUNT(values); j++) {
            vm_budget_begin(&both.ours, 0.2);
            const char *ours = play(both.ours.L, calls[i], values[j]);
            vm_budget_end(&both.ours);
            if (is_refused(ours) || is_known(calls[i], values[j], ours))
                continue;
            const char *theirs = play(both.theirs, calls[i], values[j]);
            if (strcmp(ours, theirs) == 0)
                continue;
            print_error("%s with V = %s:\n  ours   %s\n  theirs %s\n", calls[i],
                        values[j], ours, theirs);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

/* --- the price ----------------------------------------------------------- */

struct row {
    const char *name;
    const char *before; /* what it needs; without a budget */
    const char *code;   /* longer than any budget */
};

static struct row rows[] = {
#define BIG "big = {} for i = 1, 400000 do big[i] = i end "
    {"insert_at_an_integer", BIG, "table.insert(big, 1, 0)"},
    {"insert_at_a_float", BIG, "table.insert(big, 1.0, 0)"},
    {"insert_at_a_string", BIG, "table.insert(big, '1', 0)"},
    {"insert_at_a_hexadecimal_string", BIG, "table.insert(big, ' 0x1 ', 0)"},
    {"remove_at_an_integer", BIG, "table.remove(big, 1)"},
    {"remove_at_a_float", BIG, "table.remove(big, 1.0)"},
    {"remove_at_a_string", BIG, "table.remove(big, '1')"},
    {"move_by_integers", BIG, "table.move(big, 1, #big, 2)"},
    {"move_by_strings", BIG, "table.move(big, '1', '4e5', '2')"},
    {"move_of_nothing", "", "table.move({}, 1, 1e15, 2)"},
    {"move_of_almost_everything", "", "table.move({}, 1, math.maxinteger - 1, 2)"},
    {"concat_of_nothing", "t = setmetatable({}, { __index = function() return '' end })",
     "table.concat(t, '', 1, math.maxinteger)"},
    {"insert_among_what_others_have",
     "t = { 1 } for i = 2, 4096 do t[i] = true end for i = 2, 4095 do t[i] = nil end "
     "m = {} for _ = 1, 1900 do m = setmetatable({}, { __index = m }) end "
     "setmetatable(t, { __index = m })",
     "for _ = 1, 9 do table.insert(t, 1, 0) end"},
#define LONG "s = ('x'):rep(6000000) "
    {"upper_of_a_long_string", LONG, "s:upper()"},
    {"lower_of_a_long_string", LONG, "s:lower()"},
    {"reverse_of_a_long_string", LONG, "s:reverse()"},
    {"quoting_a_long_string", LONG, "('%s %q'):format(1, s)"},
    {"a_long_format", "s = ('%%'):rep(3000000)", "s:format()"},
    {"many_floats_from_strings",
     "f, t = ('%99.99f'):rep(500), {} "
     "for i = 1, 500 do t[i] = '1e308' end",
     "f:format(table.unpack(t))"},
    {"padding", "", "string.pack('c20000000', '')"},
    {"a_long_pack", "s = ('x'):rep(1000000)", "string.pack(s)"},
    {"a_plain_find", LONG, "s:find('y', 1, true)"},
    {"a_find_without_specials", LONG, "s:find('y')"},
    {"a_find_in_a_pattern", LONG, "s:find(s, 1)"},
    {"a_balance_without_an_end", "s = ('('):rep(6000000)", "s:find('^%b()')"},
    {"utf8_len", LONG, "utf8.len(s)"},
    {"utf8_offset", LONG, "utf8.offset(s, 6000000)"},
    {"utf8_offset_from_the_end", LONG, "utf8.offset(s, -6000000)"},
    {"tonumber_of_spaces", "s = (' '):rep(6000000) .. '1'", "tonumber(s)"},
    {"tonumber_in_a_base", "s = ('1'):rep(6000000)", "tonumber(s, 3)"},
    {"a_date", "s = ('%p'):rep(20000)", "os.date(s)"},
    {"a_source", "s = ('x = x '):rep(100000)", "load(s)"},
    {"a_plain_find_in_a_loop", "s = ('x'):rep(16000)",
     "while true do s:find('y', 1, true) end"},
    {"conversions_in_a_loop", "s = (' '):rep(16000) .. '1'",
     "while true do local _ = s + 1 end"},
    {"comparisons_in_a_loop", "a, b = ('x'):rep(16000), ('x'):rep(16000) .. 'y'",
     "while true do local _ = a < b end"},
};

struct chunk {
    const char *text;
};

static int run_chunk(lua_State *L)
{
    const struct chunk *c = lua_touserdata(L, 1);
    assert_int_equal(luaL_loadbufferx(L, c->text, strlen(c->text), "=c", "t"), LUA_OK);
    lua_getfield(L, LUA_REGISTRYINDEX, "loose");
    lua_setupvalue(L, -2, 1);
    lua_call(L, 0, 0);
    return 0;
}

/* Globals that may be assigned, above ours. */
static int make_loose(lua_State *L)
{
    lua_newtable(L);
    lua_newtable(L);
    lua_getfield(L, LUA_REGISTRYINDEX, "globals");
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_setfield(L, LUA_REGISTRYINDEX, "loose");
    return 0;
}

static void row_ends_with_the_budget(void **state)
{
    const struct row *r = *state;
    struct chunk before = {r->before}, code = {r->code};
    char error[VM_ERROR_SIZE] = "";
    vm_call(&both.ours, make_loose, NULL, error);
    if (vm_call(&both.ours, run_chunk, &before, error) < 0)
        fail_msg("before: %s", error);
    vm_budget_begin(&both.ours, 0.005);
    int result = vm_call(&both.ours, run_chunk, &code, error);
    vm_budget_end(&both.ours);
    if (result == 0 || !strstr(error, "out of time"))
        fail_msg("%s: %s", r->code, result == 0 ? "went through" : error);
    vm_call(&both.ours, make_loose, NULL, error);
    lua_gc(both.ours.L, LUA_GCCOLLECT);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(rows) + 1] = {
        cmocka_unit_test(results_are_the_librarys_own),
    };
    unit_rows(tests + 1, rows, COUNT(rows), sizeof *rows, row_ends_with_the_budget);
    return cmocka_run_group_tests(tests, open_both, close_both);
}
