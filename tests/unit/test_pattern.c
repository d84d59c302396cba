/* pattern: against Lua's own matcher, over random texts and patterns and the cases of the
 * manual; what would take for ever ends with the budget. */
#include "random.h"
#include "lua/sandbox.h"
#include "lua/vm.h"
#include "unit.h"

#include <lauxlib.h>
#include <lualib.h>

/* ThreadSanitizer keeps the calls that Lua's errors jump out of, and each allocation
 * copies all of them: 60,000 cases take hours and 16 GB, and nothing here has threads. */
#ifdef __SANITIZE_THREAD__
enum { CASES = 1000 };
#else
enum { CASES = 60000 };
#endif
enum { TEXT_MAX = 40, MEMORY = 64 << 20 };

/* Calls what `how` says with text, pattern, replacement and a number. Returns all that
 * came of it as one string. */
static const char program[] =
    "local how, s, p, r, n = ...\n"
    "local t = setmetatable({ a = 'A', ab = false, b = 7, [''] = '<>' },\n"
    "  { __index = function(_, k) return #k > 2 and k:sub(1, 1) or nil end })\n"
    "local function f(...)\n"
    "  local a = select(select('#', ...), ...)\n"
    "  if a == 'c' then error('no c') end\n"
    "  return #tostring(a) > 1 and select('#', ...) .. tostring(a)\n"
    "end\n"
    "local calls = {\n"
    "  find = function() return s:find(p, n) end,\n"
    "  plain = function() return s:find(p, n, true) end,\n"
    "  match = function() return s:match(p, n) end,\n"
    "  gsub = function() return s:gsub(p, r) end,\n"
    "  some = function() return s:gsub(p, r, n) end,\n"
    "  call = function() return s:gsub(p, f) end,\n"
    "  look = function() return s:gsub(p, t) end,\n"
    "  wrong = function() return s:gsub(p, n < 0 and true or nil) end,\n"
    "  gmatch = function()\n"
    "    local out = {}\n"
    "    for a, b, c in s:gmatch(p, n) do\n"
    "      out[#out + 1] = tostring(a) .. ',' .. tostring(b) .. ',' .. tostring(c)\n"
    "    end\n"
    "    return table.concat(out, ';')\n"
    "  end,\n"
    "}\n"
    "local results = table.pack(pcall(calls[how]))\n"
    "for i = 1, results.n do results[i] = type(results[i]) .. ' ' .. "
    "tostring(results[i]) end\n"
    "return table.concat(results, '|')\n";

static const char *const ways[] = {"find", "plain", "match", "gsub",  "some",
                                   "call", "look",  "wrong", "gmatch"};

/* Two states: one with our sandbox, one with Lua's own libraries. */
static struct {
    struct vm ours;
    lua_State *theirs;
} both;

static int load_ours(lua_State *L)
{
    sandbox_push(L);
    assert_int_equal(luaL_loadbufferx(L, program, sizeof program - 1, "=p", "t"), LUA_OK);
    lua_insert(L, -2);
    lua_setupvalue(L, -2, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "program");
    return 0;
}

static int open_both(void **state)
{
    char error[VM_ERROR_SIZE];
    assert_int_equal(sandbox_open(&both.ours, MEMORY, NULL), 0);
    assert_int_equal(vm_call(&both.ours, load_ours, NULL, error), 0);
    both.theirs = luaL_newstate();
    luaL_openlibs(both.theirs);
    assert_int_equal(
        luaL_loadbufferx(both.theirs, program, sizeof program - 1, "=p", "t"), LUA_OK);
    lua_setfield(both.theirs, LUA_REGISTRYINDEX, "program");
    (void)state;
    return 0;
}

static int close_both(void **state)
{
    (void)state;
    vm_close(&both.ours);
    lua_close(both.theirs);
    return 0;
}

/* What the program says on L, valid until the next call there. */
static struct bytes play(lua_State *L, const char *how, struct bytes text,
                         struct bytes pattern, struct bytes replacement, int n)
{
    size_t len;
    lua_settop(L, 0);
    lua_getfield(L, LUA_REGISTRYINDEX, "program");
    lua_pushstring(L, how);
    lua_pushlstring(L, (const char *)text.at, text.len);
    lua_pushlstring(L, (const char *)pattern.at, pattern.len);
    lua_pushlstring(L, (const char *)replacement.at, replacement.len);
    lua_pushinteger(L, n);
    lua_pcall(L, 5, 1, 0);
    const char *said = lua_tolstring(L, -1, &len);
    return (struct bytes){(const uint8_t *)said, len};
}

static void assert_same(const char *how, struct bytes text, struct bytes pattern,
                        struct bytes replacement, int n)
{
    struct bytes theirs = play(both.theirs, how, text, pattern, replacement, n);
    struct bytes ours = play(both.ours.L, how, text, pattern, replacement, n);
    if (ours.len != theirs.len || memcmp(ours.at, theirs.at, ours.len) != 0)
        fail_msg("%s('%.*s', '%.*s', '%.*s', %d):\n  ours   %s\n  theirs %s", how,
                 (int)text.len, text.at, (int)pattern.len, pattern.at,
                 (int)replacement.len, replacement.at, n, ours.at, theirs.at);
}

/* Appends random pieces of `pieces`, at most `most`. */
static struct bytes random_text(uint64_t *seed, uint8_t *to, const char *const *pieces,
                                size_t count, uint32_t most)
{
    size_t len = 0;
    for (uint32_t n = random_below(seed, most + 1); n > 0; n--) {
        const char *piece = pieces[random_below(seed, (uint32_t)count)];
        size_t piece_len = *piece ? strlen(piece) : 1; /* "": a NUL */
        memcpy(to + len, piece, piece_len);
        len += piece_len;
    }
    return (struct bytes){to, len};
}

static void patterns_are_matched_as_by_lua(void **state)
{
    (void)state;
    static const char *const letters[] = {"a", "b", "ab", "c", "(", ")", " ",   "A",
                                          "1", "_", "%",  "",  "x", "-", "\xE9"};
    static const char *const parts[] = {
        "a",     "b",  ".",    "c",     "x",    "%a",   "%d",    "%s",     "%w",   "%A",
        "%p",    "*",  "+",    "-",     "?",    "*",    "+",     "?",      "(",    ")",
        "()",    "(",  ")",    "[ab]",  "[^",   "]",    "[a-c]", "[",      "[%a]", "[]]",
        "[^%s]", "%1", "%2",   "%b()",  "%bab", "%b",   "%f[a]", "%f[%A]", "%f",   "^",
        "$",     "%",  "%%",   "%(",    "",     "\xE9", "%z",    "%x",     "%u",   "%g",
        "%c",    "%l", "[a-]", "[%-a]", "%0",   ".-",   ".*",    "(.)",    "(a*)"};
    static const char *const replacements[] = {"a",  "%1", "%0", "%%", "%2", "%",
                                               "xy", "",   "%9", "-",  "%a", "%3"};
    uint64_t seed = 20261125;
    uint8_t text[TEXT_MAX * 2], pattern[64], replacement[32];
    for (int i = 0; i < CASES; i++) {
        struct bytes s = random_text(&seed, text, letters, COUNT(letters), TEXT_MAX);
        struct bytes p = random_text(&seed, pattern, parts, COUNT(parts), 8);
        struct bytes r =
            random_text(&seed, replacement, replacements, COUNT(replacements), 3);
        assert_same(ways[random_below(&seed, COUNT(ways))], s, p, r,
                    (int)random_below(&seed, 60) - 20);
    }
}

struct row {
    const char *name;
    const char *how, *text, *pattern, *replacement;
    const char *said;
};

/* Of the manual: 6.4.1, and what the functions' descriptions say. */
static struct row rows[] = {
    {"find_tells_where", "find", "hello Lua", "Lu", "", "boolean true|number 7|number 8"},
    {"find_adds_captures", "find", "k = v", "(%w+) = (%w+)", "",
     "boolean true|number 1|number 5|string k|string v"},
    {"find_of_nothing_is_nil", "find", "hello", "z", "", "boolean true|nil nil"},
    {"plain_takes_no_pattern", "plain", "a.b", ".", "", "boolean true|number 2|number 2"},
    {"match_gives_captures", "match", "2026-11-25", "(%d+)-(%d+)", "",
     "boolean true|string 2026|string 11"},
    {"position_captures_are_numbers", "match", "flaaap", "()aa()", "",
     "boolean true|number 3|number 5"},
    {"nested_captures_count_from_the_left", "match", "abc  ", "(a*(.)%w(%s*))", "",
     "boolean true|string abc  |string b|string   "},
    {"shortest_match", "match", "<a><b>", "<(.-)>", "", "boolean true|string a"},
    {"longest_match", "match", "<a><b>", "<(.*)>", "", "boolean true|string a><b"},
    {"balance", "match", "f(a(b)c)d)", "%b()", "", "boolean true|string (a(b)c)"},
    {"frontier", "gsub", "THE (quick) fox", "%f[%a]%a+", "%0%0",
     "boolean true|string THETHE (quickquick) foxfox|number 3"},
    {"back_reference", "match", "say \"it's\"", "([\"'])(.-)%1", "",
     "boolean true|string \"|string it's"},
    {"anchors", "match", "  trim  ", "^%s*(.-)%s*$", "", "boolean true|string trim"},
    {"gsub_repeats", "gsub", "hello world", "(%w+)", "%1 %1",
     "boolean true|string hello hello world world|number 2"},
    {"gsub_swaps", "gsub", "hello world from Lua", "(%w+)%s*(%w+)", "%2 %1",
     "boolean true|string world hello Lua from|number 2"},
    {"gsub_of_empty_matches", "gsub", "abc", "", "-",
     "boolean true|string -a-b-c-|number 4"},
    {"gmatch_walks", "gmatch", "one two", "%a+", "",
     "boolean true|string one,nil,nil;two,nil,nil"},
    {"an_open_capture_is_an_error", "match", "a", "(a", "",
     "boolean false|string p:12: unfinished capture"},
    {"an_open_set_is_an_error", "match", "a", "[a", "",
     "boolean false|string p:12: malformed pattern (missing ']')"},
    {"a_lone_percent_is_an_error", "match", "a", "%", "",
     "boolean false|string p:12: malformed pattern (ends with '%')"},
    {"a_wrong_replacement_is_an_error", "gsub", "a", "a", "%2",
     "boolean false|string p:13: invalid capture index %2"},
};

static void row_holds(void **state)
{
    const struct row *r = *state;
    struct bytes text = bytes_of(r->text), pattern = bytes_of(r->pattern);
    assert_same(r->how, text, pattern, bytes_of(r->replacement), 1);
    assert_string_equal((const char *)play(both.ours.L, r->how, text, pattern,
                                           bytes_of(r->replacement), 1)
                            .at,
                        r->said);
}

/* What would go on for ages without a budget. */
static const char *const bombs[] = {
    "return ('a'):rep(30):match(('a?'):rep(30) .. ('a'):rep(30))",
    "return ('-'):rep(1 << 20):find('.-.-.-.-x')",
    "return ('a'):rep(1 << 20):match('.-b')",
    "return ('a'):rep(1 << 20):gsub('.-b', '')",
    "for _ in ('a'):rep(1 << 20):gmatch('a*a*a*b') do return end",
    "return ('x'):rep(1 << 20):find('[' .. ('a'):rep(1 << 20) .. ']')",
    "return ('('):rep(1 << 20):find('%b()')",
    "return ('a'):rep(1 << 20):find('(a*)%1b')",
    "while true do local _ = ('abc'):find('b') end",
    "while true do pcall(string.find, ('-'):rep(1 << 16), '.-.-.-x') end",
    "return (('a'):rep(1 << 10):gsub('a', function() while true do end end))",
    "while true do ('a'):rep(1 << 20):find(('a'):rep(1 << 19) .. 'b', 1, true) end",
};

static int run_bomb(lua_State *L)
{
    const char *bomb = lua_touserdata(L, 1);
    sandbox_push(L);
    assert_int_equal(luaL_loadbufferx(L, bomb, strlen(bomb), "=bomb", "t"), LUA_OK);
    lua_insert(L, -2);
    lua_setupvalue(L, -2, 1);
    lua_call(L, 0, 0);
    return 0;
}

static void what_backtracks_ends_with_the_budget(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bombs); i++) {
        char error[VM_ERROR_SIZE] = "";
        vm_budget_begin(&both.ours, 0.02);
        int result = vm_call(&both.ours, run_bomb, (void *)(uintptr_t)bombs[i], error);
        vm_budget_end(&both.ours);
        assert_int_equal(result, -1);
        if (!strstr(error, "out of time"))
            fail_msg("%s: %s", bombs[i], error);
    }
}

int main(void)
{
    struct CMUnitTest tests[COUNT(rows) + 2] = {
        cmocka_unit_test(patterns_are_matched_as_by_lua),
        cmocka_unit_test(what_backtracks_ends_with_the_budget),
    };
    unit_rows(tests + 2, rows, COUNT(rows), sizeof *rows, row_holds);
    return cmocka_run_group_tests(tests, open_both, close_both);
}
