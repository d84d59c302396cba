/* guard_string: the library `string`. */
#include "lua/guard.h"

#include "lua/pattern.h"
#include "lua/vm.h"

#include <lauxlib.h>
#include <string.h>

enum {
    FLOAT_NS = 20000, /* to write one with 99 digits on either side */
    NUMBER_NS = 200,
    QUOTE_NS = 10, /* a byte */
    BYTE_NS = 2,   /* a byte that is looked at */
    PACK_NS = 20,  /* an option of a format */
};

/* string.rep: what is there already is doubled, which is as fast as memory. */
static int repeat_string(lua_State *L)
{
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
    bool fits = (size_t)n <= (vm_string_max(vm_of(L)) + separator) / unit;
    vm_check_string(L, fits ? 0 : SIZE_MAX);
    size_t total = (size_t)n * unit - separator;
    budget_work(L, total / 2);
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

/* What the directive at `at`, behind its '%', costs for the argument at `index`; *at
 * moves behind it. What is malformed the library's own refuses. */
static uint64_t directive_price(lua_State *L, int index, const char **at, const char *end)
{
    while (*at < end && strchr("-+ #0123456789.", **at) && **at)
        ++*at;
    if (*at == end)
        return 0;
    switch (*(*at)++) {
    case 'a':
    case 'A':
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
        return FLOAT_NS;
    case 'q':
        return lua_type(L, index) == LUA_TSTRING
                   ? NUMBER_NS + lua_rawlen(L, index) * QUOTE_NS
                   : NUMBER_NS;
    default:
        return NUMBER_NS;
    }
}

/* string.format: floats and quoted strings take long, and several strings may make one
 * that is too long. */
static int format_string(lua_State *L)
{
    size_t len;
    int index = 1;
    const char *at = luaL_checklstring(L, 1, &len), *end = at + len;
    uint64_t price = len * BYTE_NS;
    size_t total = 0;
    for (int i = lua_gettop(L); i > 0; i--)
        total += lua_type(L, i) == LUA_TSTRING ? lua_rawlen(L, i) : 0;
    vm_check_string(L, total);
    while ((at = memchr(at, '%', (size_t)(end - at))) != NULL) {
        if (++at < end && *at == '%')
            at++;
        else
            price += directive_price(L, ++index, &at, end);
    }
    budget_work(L, price);
    return guard_original(L);
}

/* string.pack and packsize: a fixed size ("c1000000") is padded. */
static int pack_string(lua_State *L)
{
    size_t len, padding = 0;
    const char *format = luaL_checklstring(L, 1, &len);
    for (size_t i = 0; i < len; i++) {
        size_t n = 0;
        for (; format[i] == 'c' && format[i + 1] >= '0' && format[i + 1] <= '9' &&
               n < vm_string_max(vm_of(L));
             format++, len--)
            n = n * 10 + (size_t)(format[i + 1] - '0');
        padding += n;
        vm_check_string(L, padding);
    }
    budget_work(L, len * PACK_NS + padding * BYTE_NS);
    guard_strings(L, 1);
    return guard_original(L);
}

/* string.packsize and unpack: each option of the format may be a result. */
static int unpack_string(lua_State *L)
{
    size_t len;
    luaL_checklstring(L, 1, &len);
    guard_results(L, 1, (lua_Integer)len, "too many results");
    budget_work(L, len * PACK_NS);
    guard_strings(L, 1);
    return guard_original(L);
}

/* string.upper, lower and reverse. */
static int copy_string(lua_State *L)
{
    guard_strings(L, BYTE_NS);
    return guard_original(L);
}

static int string_byte(lua_State *L)
{
    size_t len;
    const char *s = luaL_checklstring(L, 1, &len);
    lua_Integer given = luaL_optinteger(L, 2, 1);
    lua_Integer first = guard_position(given, len);
    lua_Integer last = guard_position(luaL_optinteger(L, 3, given), len);
    first = first < 1 ? 1 : first;
    last = last > (lua_Integer)len ? (lua_Integer)len : last;
    guard_results(L, first, last, "string slice too long");
    int n = last < first ? 0 : (int)(last - first) + 1;
    luaL_checkstack(L, n, "string slice too long");
    budget_work(L, (uint64_t)n * BYTE_NS);
    for (int i = 0; i < n; i++)
        lua_pushinteger(L, (unsigned char)s[first + i - 1]);
    return n;
}

void guard_string(lua_State *L)
{
    pattern_register(L);
    lua_pushcfunction(L, repeat_string);
    lua_setfield(L, -2, "rep");
    guard_field(L, "format", format_string);
    guard_field(L, "upper", copy_string);
    guard_field(L, "lower", copy_string);
    guard_field(L, "reverse", copy_string);
    guard_field(L, "pack", pack_string);
    guard_field(L, "packsize", unpack_string);
    guard_field(L, "byte", string_byte);
    guard_field(L, "unpack", unpack_string);
}
