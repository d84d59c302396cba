/* json: lua-cjson decodes, this encodes: cjson has no stable order, no ready-made parts
 * and leaves non-ASCII as it is, and the captured protocol needs all three otherwise. */
#include "lua/json.h"

#include "lua/budget.h"
#include "wire/utf8.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    DEPTH_MAX = 32,
    VALUE_NS = 50,
    PART_BYTES = 256,                 /* of a string, escaped at a time */
    PART_ROOM = (PART_BYTES + 3) * 6, /* each may become \uXXXX; a character is whole */
};

/* What is being written, how long it may become, and by which option. */
struct out {
    struct buf *buf;
    size_t max;
    const char *option; /* NULL: by none */
    size_t before;      /* bytes of `buf` that were there */
};

static void too_large(lua_State *L, const struct out *to)
{
    luaL_error(L, "the JSON is too large to send: it may have %I bytes%s%s%s",
               (LUAI_UACINT)(to->max - to->before), to->option ? ", which " : "",
               to->option ? to->option : "", to->option ? " sets" : "");
}

/* Room for `more` bytes, of which the caller says with `wrote` how many it used. */
static uint8_t *room(lua_State *L, struct out *to, size_t more)
{
    if (buf_reserve(to->buf, more) < 0)
        luaL_error(L, "not enough memory");
    return to->buf->at + to->buf->len;
}

static void wrote(lua_State *L, struct out *to, const uint8_t *end)
{
    to->buf->len = (size_t)(end - to->buf->at);
    if (to->buf->len > to->max)
        too_large(L, to);
}

static void append(lua_State *L, struct out *to, struct bytes text)
{
    if (to->buf->len > to->max || text.len > to->max - to->buf->len)
        too_large(L, to);
    uint8_t *at = room(L, to, text.len);
    if (text.len)
        memcpy(at, text.at, text.len);
    to->buf->len += text.len;
}

static void append_byte(lua_State *L, struct out *to, char byte)
{
    uint8_t *at = room(L, to, 1);
    *at = (uint8_t)byte;
    wrote(L, to, at + 1);
}

static void append_text(lua_State *L, struct out *out, const char *text)
{
    append(L, out, bytes_of(text));
}

/* The code point that begins at `at`, which is valid UTF-8; *len gets its bytes (RFC
 * 3629). */
static uint32_t code_point(const uint8_t *at, size_t *len)
{
    *len = at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
    uint32_t c = at[0] & (0x7FU >> *len);
    for (size_t i = 1; i < *len; i++)
        c = c << 6 | (at[i] & 0x3FU);
    return c;
}

/* Writes \uXXXX. Returns what follows it. */
static uint8_t *write_unit(uint32_t unit, uint8_t *to)
{
    static const char digits[] = "0123456789abcdef";
    *to++ = '\\';
    *to++ = 'u';
    for (int shift = 12; shift >= 0; shift -= 4)
        *to++ = (uint8_t)digits[unit >> shift & 15];
    return to;
}

/* Writes the escape of the character at *at (RFC 8259 7) and moves *at behind it. Returns
 * what follows the escape. */
static uint8_t *write_escape(const uint8_t **at, uint8_t *to)
{
    static const char short_forms[] = "\"\"\\\\//\bb\ff\nn\rr\tt";
    for (const char *s = short_forms; *s && **at < 0x80; s += 2) {
        if ((uint8_t)*s != **at)
            continue;
        *to++ = '\\';
        *to++ = (uint8_t)s[1];
        ++*at;
        return to;
    }
    size_t len = 1;
    uint32_t c = **at < 0x80 ? **at : code_point(*at, &len);
    *at += len;
    if (c < 0x10000)
        return write_unit(c, to);
    to = write_unit(0xD800 + ((c - 0x10000) >> 10), to);
    return write_unit(0xDC00 + ((c - 0x10000) & 0x3FF), to);
}

static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\' && c != '/';
}

/* Whether all eight bytes are plain. In `odd` the high bit of the first byte that is not
 * is set: by itself, by what is taken from it or added to it, or, for the three that are
 * no letters, because it is zero after the XOR. */
static bool is_plain_word(uint64_t word)
{
    const uint64_t ones = UINT64_MAX / 0xFF;
    uint64_t odd = word | (word - 0x20 * ones) | (word + ones) |
                   ((word ^ '"' * ones) - ones) | ((word ^ '\\' * ones) - ones) |
                   ((word ^ '/' * ones) - ones);
    return (odd & 0x80 * ones) == 0;
}

/* How many bytes from `at` on are plain. */
static size_t plain_run(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *from = at;
    uint64_t word;
    for (; end - at >= 8; at += 8) {
        memcpy(&word, at, 8);
        if (!is_plain_word(word))
            break;
    }
    while (at < end && is_plain(*at))
        at++;
    return (size_t)(at - from);
}

/* Part by part, so that little more room is taken than is used. */
static void encode_string(lua_State *L, struct bytes text, struct out *out)
{
    if (!utf8_is_valid(text))
        luaL_error(L, "a string is not UTF-8 and can't be sent as text");
    const uint8_t *at = text.at, *end = text.at + text.len;
    append_byte(L, out, '"');
    while (at < end) {
        const uint8_t *stop = end - at > PART_BYTES ? at + PART_BYTES : end;
        uint8_t *to = room(L, out, PART_ROOM);
        while (at < stop) {
            size_t plain = plain_run(at, stop);
            memcpy(to, at, plain);
            to += plain;
            at += plain;
            if (at < stop)
                to = write_escape(&at, to);
        }
        wrote(L, out, to);
    }
    append_byte(L, out, '"');
}

/* A whole number; 20 digits at most. */
static void encode_integer(lua_State *L, lua_Integer n, struct out *out)
{
    uint8_t text[21], *at = text + sizeof text;
    lua_Unsigned rest = n < 0 ? 0 - (lua_Unsigned)n : (lua_Unsigned)n;
    do
        *--at = (uint8_t)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (n < 0)
        *--at = '-';
    append(L, out, (struct bytes){at, (size_t)(text + sizeof text - at)});
}

/* Integers exactly; other numbers in the fewest digits that read back the same. */
static void encode_number(lua_State *L, int index, struct out *out)
{
    char text[40];
    double n = lua_tonumber(L, index);
    if (lua_isinteger(L, index)) {
        encode_integer(L, lua_tointeger(L, index), out);
        return;
    }
    if (!isfinite(n)) {
        luaL_error(L, "JSON has no number for %f", n);
    } else if (floor(n) == n && fabs(n) < 9007199254740992.0) {
        snprintf(text, sizeof text, "%.0f", n);
    } else {
        int digits = 15;
        do
            snprintf(text, sizeof text, "%.*g", digits, n);
        while (digits++ < 17 && strtod(text, NULL) != n);
    }
    append_text(L, out, text);
}

static void encode(lua_State *L, int index, struct out *out, int depth);

static void encode_array(lua_State *L, int index, struct out *out, int depth)
{
    lua_Unsigned n = lua_rawlen(L, index);
    append_byte(L, out, '[');
    for (lua_Unsigned i = 1; i <= n; i++) {
        if (i > 1)
            append_byte(L, out, ',');
        lua_rawgeti(L, index, (lua_Integer)i);
        encode(L, lua_gettop(L), out, depth);
        lua_pop(L, 1);
    }
    append_byte(L, out, ']');
}

static void encode_key(lua_State *L, int index, struct out *out)
{
    if (lua_type(L, index) != LUA_TSTRING && lua_type(L, index) != LUA_TNUMBER)
        luaL_error(L, "a %s can't be a JSON object's key", luaL_typename(L, index));
    size_t len;
    bool is_number = lua_type(L, index) == LUA_TNUMBER;
    if (is_number)
        lua_pushvalue(L, index); /* lua_tolstring would change the key under lua_next */
    const char *key = lua_tolstring(L, is_number ? -1 : index, &len);
    encode_string(L, (struct bytes){(const uint8_t *)key, len}, out);
    if (is_number)
        lua_pop(L, 1);
}

static void encode_object(lua_State *L, int index, struct out *out, int depth)
{
    char before = '{';
    lua_pushnil(L);
    while (budget_walk(L), lua_next(L, index)) {
        append_byte(L, out, before);
        before = ',';
        encode_key(L, lua_gettop(L) - 1, out);
        append_byte(L, out, ':');
        encode(L, lua_gettop(L), out, depth);
        lua_pop(L, 1);
    }
    append_text(L, out, before == '{' ? "{}" : "}");
}

static void encode_table(lua_State *L, int index, struct out *out, int depth)
{
    if (depth >= DEPTH_MAX)
        luaL_error(L, "tables are nested more than %d deep, or within themselves",
                   DEPTH_MAX);
    luaL_checkstack(L, 6, "JSON");
    bool array = lua_rawgeti(L, index, 1) != LUA_TNIL;
    lua_pop(L, 1);
    if (array)
        encode_array(L, index, out, depth + 1);
    else
        encode_object(L, index, out, depth + 1);
}

static void encode(lua_State *L, int index, struct out *out, int depth)
{
    size_t len;
    const char *text;
    budget_work(L, VALUE_NS); /* tables that share parts can be vast */
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        append_text(L, out, "null");
        return;
    case LUA_TBOOLEAN:
        append_text(L, out, lua_toboolean(L, index) ? "true" : "false");
        return;
    case LUA_TNUMBER:
        encode_number(L, index, out);
        return;
    case LUA_TSTRING:
        text = lua_tolstring(L, index, &len);
        budget_work(L, len);
        encode_string(L, (struct bytes){(const uint8_t *)text, len}, out);
        return;
    case LUA_TTABLE:
        encode_table(L, index, out, depth);
        return;
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, index) != NULL)
            break;
        append_text(L, out, "null"); /* cjson.null */
        return;
    case LUA_TUSERDATA:
        if (!json_text(L, index).at)
            break;
        append(L, out, json_text(L, index));
        return;
    default:
        break;
    }
    if (luaL_getmetafield(L, index, JSON_INSTEAD) == LUA_TSTRING)
        luaL_error(L, "%s", lua_tostring(L, -1));
    luaL_error(L, "a %s can't be sent as JSON", luaL_typename(L, index));
}

void json_encode(lua_State *L, int index, struct buf *out, size_t max, const char *option)
{
    struct out to = {out, max, option, out->len};
    encode(L, lua_absindex(L, index), &to, 0);
}

void json_encode_pairs(lua_State *L, int first, int last, struct buf *buf, size_t max)
{
    struct out out = {buf, max, NULL, buf->len};
    char before = '{';
    for (int i = first; i < last; i += 2) {
        if (lua_isnil(L, i + 1))
            continue;
        append_byte(L, &out, before);
        before = ',';
        encode_key(L, i, &out);
        append_byte(L, &out, ':');
        encode(L, i + 1, &out, 0);
    }
    append_text(L, &out, before == '{' ? "{}" : "}");
}

void json_encode_array(lua_State *L, int index, struct buf *out, size_t max)
{
    encode_array(L, lua_absindex(L, index), &(struct out){out, max, NULL, out->len}, 1);
}

void json_push(lua_State *L, struct bytes text)
{
    void *at = lua_newuserdatauv(L, text.len ? text.len : 1, 0);
    memcpy(at, text.at, text.len);
    luaL_setmetatable(L, JSON_TYPE);
}

struct bytes json_text(lua_State *L, int index)
{
    void *at = luaL_testudata(L, index, JSON_TYPE);
    return at ? (struct bytes){at, lua_rawlen(L, index)} : (struct bytes){0};
}
