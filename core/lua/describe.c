/* describe: raw access and a buffer of fixed size, for it runs where a script has failed:
 * memory may be out, and a __tostring or __pairs of the script's could fail again. */
#include "lua/describe.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 3, STACK_SLOTS = 4 };

struct text {
    char *at;
    size_t len, size;
};

/* Appends as much of it as fits. */
static void add(struct text *to, const char *text, size_t len)
{
    size_t left = to->size - 1 - to->len;
    len = len < left ? len : left;
    memcpy(to->at + to->len, text, len);
    to->len += len;
    to->at[to->len] = '\0';
}

static bool is_full(const struct text *to)
{
    return to->len == to->size - 1;
}

static void add_text(struct text *to, const char *text)
{
    add(to, text, strlen(text));
}

static void add_number(lua_State *L, int index, struct text *to)
{
    char number[40];
    if (lua_isinteger(L, index))
        snprintf(number, sizeof number, "%lld", (long long)lua_tointeger(L, index));
    else
        snprintf(number, sizeof number, "%.14g", lua_tonumber(L, index));
    add_text(to, number);
}

static void add_value(lua_State *L, int index, struct text *to, int depth);

/* The array's part without keys, then the other pairs. */
static void add_table(lua_State *L, int index, struct text *to, int depth)
{
    lua_Unsigned count = lua_rawlen(L, index);
    const char *before = "{";
    lua_pushnil(L);
    while (!is_full(to) && lua_next(L, index)) {
        int key = lua_gettop(L) - 1;
        add_text(to, before);
        before = ", ";
        if (!lua_isinteger(L, key) || (lua_Unsigned)lua_tointeger(L, key) - 1 >= count) {
            add_value(L, key, to, DEPTH_MAX);
            add_text(to, ": ");
        }
        add_value(L, key + 1, to, depth + 1);
        lua_pop(L, 1);
    }
    if (is_full(to))
        return; /* the caller restores the stack */
    add_text(to, before[0] == '{' ? "{}" : "}");
}

static void add_value(lua_State *L, int index, struct text *to, int depth)
{
    size_t len;
    switch (lua_type(L, index)) {
    case LUA_TSTRING:
        add_text(to, "\"");
        add(to, lua_tolstring(L, index, &len), lua_rawlen(L, index));
        add_text(to, "\"");
        return;
    case LUA_TNUMBER:
        add_number(L, index, to);
        return;
    case LUA_TBOOLEAN:
        add_text(to, lua_toboolean(L, index) ? "true" : "false");
        return;
    case LUA_TTABLE:
        if (depth >= DEPTH_MAX || !lua_checkstack(L, STACK_SLOTS))
            break;
        add_table(L, index, to, depth);
        return;
    default:
        break;
    }
    add_text(to, lua_typename(L, lua_type(L, index)));
}

void describe_value(lua_State *L, int index, char *text, size_t size)
{
    struct text to = {text, 0, size};
    int top = lua_gettop(L);
    text[0] = '\0';
    add_value(L, lua_absindex(L, index), &to, 0);
    lua_settop(L, top);
    if (is_full(&to) && size > 4)
        memcpy(text + size - 4, "...", 4);
}
