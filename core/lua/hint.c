/* hint: the nearest name by edit distance (Levenshtein), if it is near enough. */
#include "lua/hint.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_BYTES = 32, NEAR = 2 }; /* edits */

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* How many letters to add, take out or change. */
static int distance(const char *a, const char *b)
{
    int row[NAME_MAX_BYTES + 1], n = (int)strnlen(b, NAME_MAX_BYTES + 1);
    if (strnlen(a, NAME_MAX_BYTES + 1) > NAME_MAX_BYTES || n > NAME_MAX_BYTES)
        return NAME_MAX_BYTES;
    for (int j = 0; j <= n; j++)
        row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            int change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = least(change, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[n];
}

/* Keeps `name` as *best if it is nearer. */
static void consider(const char *name, const char *wanted, const char **best, int *edits)
{
    int d = distance(wanted, name);
    if (d < *edits && d < (int)strnlen(wanted, NAME_MAX_BYTES + 1)) {
        *edits = d;
        *best = name;
    }
}

int hint_raise(lua_State *L, const char *owner, int key, int methods,
               const char *const *fields)
{
    if (lua_type(L, key) != LUA_TSTRING)
        return luaL_error(L, "%s has no field that is a %s", owner,
                          luaL_typename(L, key));
    const char *wanted = lua_tostring(L, key), *best = NULL;
    int edits = NEAR + 1;
    for (; fields && *fields; fields++)
        consider(*fields, wanted, &best, &edits);
    for (lua_pushnil(L); lua_next(L, methods); lua_pop(L, 1))
        if (lua_type(L, -2) == LUA_TSTRING)
            consider(lua_tostring(L, -2), wanted, &best, &edits);
    if (best)
        return luaL_error(L, "%s has no field '%s'; did you mean '%s'?", owner, wanted,
                          best);
    return luaL_error(L, "%s has no field '%s'", owner, wanted);
}

int hint_nearest(lua_State *L)
{
    const char *wanted = luaL_checkstring(L, 1), *best = NULL;
    int edits = NEAR + 1;
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1))
        if (lua_type(L, -2) == LUA_TSTRING)
            consider(lua_tostring(L, -2), wanted, &best, &edits);
    lua_pushstring(L, best); /* NULL pushes nil */
    return 1;
}

/* __index; upvalue 1 is the owner's name. */
static int refuse(lua_State *L)
{
    return hint_raise(L, lua_tostring(L, lua_upvalueindex(1)), 2, 1, NULL);
}

void hint_guard(lua_State *L, const char *owner)
{
    lua_newtable(L);
    lua_pushstring(L, owner);
    lua_pushcclosure(L, refuse, 1);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, owner);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}
