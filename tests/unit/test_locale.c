/* locale: an embedding program may set any: numbers are read and written with a point,
 * and letters are ASCII's, as if it had not; its own locale is as it was afterwards. */
#include "lua/guard.h"
#include "lua/json.h"
#include "lua/sandbox.h"
#include "lua/vm.h"
#include "unit.h"

#include <lauxlib.h>
#include <locale.h>
#include <stdlib.h>

int luaopen_cjson_safe(lua_State *L);

static struct vm vm;
static bool is_set; /* a locale with a comma is */

/* Makes a locale that has a comma, and sets it: which ones are there, nobody knows. */
static int set_locale(void **state)
{
    char folder[] = "/tmp/charlua-locale-XXXXXX", command[200];
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(command, sizeof command,
             "localedef -c -i de_DE -f UTF-8 %s/de_DE.UTF-8 >/dev/null 2>&1", folder);
    is_set = system(command) == 0 && setenv("LOCPATH", folder, 1) == 0 &&
             setlocale(LC_ALL, "de_DE.UTF-8") && *localeconv()->decimal_point == ',';
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) == 0 && sandbox_open(&vm, 64 << 20, NULL) == 0 ? 0 : -1;
}

static int close_vm(void **state)
{
    (void)state;
    vm_close(&vm);
    return 0;
}

/* encode(value) -> JSON */
static int encode(lua_State *L)
{
    struct buf out = {0};
    json_encode(L, 1, &out, 1000, NULL);
    lua_pushlstring(L, (const char *)out.at, out.len);
    buf_deinit(&out);
    return 1;
}

static int run(lua_State *L)
{
    sandbox_push(L);
    lua_pushliteral(L, "encode");
    lua_pushcfunction(L, encode);
    lua_rawset(L, -3);
    lua_pushliteral(L, "json");
    luaL_requiref(L, "cjson.safe", luaopen_cjson_safe, 0);
    lua_getfield(L, -1, "new");
    lua_call(L, 0, 1);
    lua_remove(L, -2);
    guard_json(L);
    lua_rawset(L, -3);
    const char *code = lua_touserdata(L, 1);
    assert_int_equal(luaL_loadbufferx(L, code, strlen(code), "=c", "t"), LUA_OK);
    lua_insert(L, -2);
    lua_setupvalue(L, -2, 1);
    lua_call(L, 0, 0);
    return 0;
}

struct row {
    const char *name, *code;
};

static struct row rows[] = {
    {"json_writes_a_point", "assert(encode { 0.1 } == '[0.1]', encode { 0.1 })"},
    {"json_writes_the_fewest_digits",
     "assert(encode { 1e21 } == '[1e+21]', encode { 1e21 })"},
    {"json_keys_have_a_point", "assert(encode { [0.5] = 1 } == '{\"0.5\":1}')"},
    {"cjson_writes_a_point",
     "assert(json.encode { 0.1 } == '[0.1]', json.encode { 0.1 })"},
    {"cjson_reads_a_point", "assert(json.decode('[1.5]')[1] == 1.5)"},
    {"cjson_reads_no_comma", "assert(#json.decode('[1,5]') == 2)"},
    {"tostring_writes_a_point", "assert(tostring(1.5) == '1.5', tostring(1.5))"},
    {"concat_writes_a_point", "assert(1.5 .. '' == '1.5', 1.5 .. '')"},
    {"format_writes_a_point",
     "assert(('%.1f'):format(1.5) == '1.5', ('%.1f'):format(1.5))"},
    {"tonumber_reads_a_point", "assert(tonumber '1.5' == 1.5)"},
    {"tonumber_reads_no_comma", "assert(tonumber '1,5' == nil)"},
    {"source_has_a_point", "assert(load 'return 1.5'() == 1.5)"},
    {"days_are_english", "assert(os.date('!%A', 0) == 'Thursday', os.date('!%A', 0))"},
    {"order_is_by_bytes", "assert('B' < 'a' and 'Z' < '\\u{E4}')"},
    {"letters_are_ascii",
     "assert(not ('\\xE4'):find '%a' and ('\\xE4'):upper() == '\\xE4')"},
};

static void row_holds(void **state)
{
    const struct row *r = *state;
    static const double now = 0;
    char error[VM_ERROR_SIZE];
    if (!is_set)
        skip();
    vm.now = &now;
    if (vm_call(&vm, run, (void *)(uintptr_t)r->code, error) < 0)
        fail_msg("%s", error);
    assert_string_equal(localeconv()->decimal_point, ",");
}

int main(void)
{
    struct CMUnitTest tests[COUNT(rows)];
    unit_rows(tests, rows, COUNT(rows), sizeof *rows, row_holds);
    return cmocka_run_group_tests(tests, set_locale, close_vm);
}
