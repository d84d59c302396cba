/* testing: plays as Lua objects for testing.lua. The files of cases are the author's own:
 * they have the whole standard library and no budget; the rules that they play have both
 * as in the server. Longer than other files: a function for each thing that cases can do.
 */
#include "play/testing.h"

#include "base/cidr.h"
#include "lua/hint.h"
#include "play/play.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

#define PLAY_TYPE "charlua.play"

/* testing.lua as it was when this was built. */
extern const char testing_lua[] __attribute__((visibility("hidden")));
extern const char testing_lua_end[] __attribute__((visibility("hidden")));
__asm__(".pushsection .rodata\n"
        "testing_lua:\n"
        ".incbin \"core/play/testing.lua\"\n"
        "testing_lua_end:\n"
        ".byte 0\n"
        ".popsection\n");

enum { SET_MAX = 256 };

int luaopen_cjson_safe(lua_State *L);

struct testing {
    const struct host_setup *setup;
    const char *file, *filter;
    void (*report)(void *ctx, const struct testing_case *result);
    void *ctx;
};

static struct testing *testing_of(lua_State *L)
{
    return *(struct testing **)lua_getextraspace(L);
}

/* A play as Lua's object; its user value keeps the strings that its setup points to. */
struct box {
    struct play *play;
    struct host_option set[SET_MAX], env[SET_MAX];
    const char *allow[SET_MAX];
};

static struct play *play_at(lua_State *L, int index)
{
    struct box *box = luaL_checkudata(L, index, PLAY_TYPE);
    luaL_argcheck(L, box->play, index, "the case has ended");
    return box->play;
}

/* The client whose number is argument 2. */
static int64_t client_at(lua_State *L)
{
    return luaL_checkinteger(L, 2);
}

/* The string at `index`; empty if there is none. */
static struct bytes bytes_at(lua_State *L, int index)
{
    size_t len;
    const char *text = luaL_optlstring(L, index, "", &len);
    return (struct bytes){(const uint8_t *)text, len};
}

static void push_bytes(lua_State *L, struct bytes b)
{
    lua_pushlstring(L, b.len ? (const char *)b.at : "", b.len);
}

/* Raises if the rules do not come to rest. */
static int settled(lua_State *L, int result)
{
    if (result < 0)
        return luaL_error(L, "the rules do not come to rest: something is set off again "
                             "and again without time going by");
    return 0;
}

/* --- play:... ------------------------------------------------------------ */

/* play:load([source]) -> true | false: the log says why */
static int load(lua_State *L)
{
    lua_pushboolean(L, play_load(play_at(L, 1), bytes_at(L, 2)) == 0);
    return 1;
}

/* An address of text: "unix", IPv4 or IPv6. Returns 0 or -1. */
static int parse_addr(const char *text, struct addr *out)
{
    struct cidr one;
    *out = (struct addr){.family = ADDR_UNIX};
    if (strcmp(text, "unix") == 0)
        return 0;
    if (cidr_parse(text, &one) < 0)
        return -1;
    *out = one.addr;
    return 0;
}

/* play:open(head, ip, secure [, subject [, protocol]]) -> the client's number */
static int open(lua_State *L)
{
    struct play *p = play_at(L, 1);
    struct bytes head = bytes_at(L, 2);
    struct addr addr;
    if (parse_addr(luaL_checkstring(L, 3), &addr) < 0)
        return luaL_error(L, "'%s' is no address: say one like 192.0.2.7, ::1 or unix",
                          lua_tostring(L, 3));
    int64_t client =
        play_open(p, head, &addr, lua_toboolean(L, 4), bytes_at(L, 5), bytes_at(L, 6));
    if (client < 0)
        return luaL_error(L, "%d clients are the most", PLAY_CLIENTS_MAX);
    lua_pushinteger(L, client);
    return 1 + settled(L, play_advance(p, 0));
}

/* play:request(head, ip, secure, body) -> its number */
static int request(lua_State *L)
{
    struct play *p = play_at(L, 1);
    struct addr addr;
    if (parse_addr(luaL_checkstring(L, 3), &addr) < 0)
        return luaL_error(L, "'%s' is no address: say one like 192.0.2.7, ::1 or unix",
                          lua_tostring(L, 3));
    int64_t number =
        play_request(p, bytes_at(L, 2), &addr, lua_toboolean(L, 4), bytes_at(L, 5));
    if (number < 0)
        return luaL_error(L, "%d clients are the most", PLAY_CLIENTS_MAX);
    lua_pushinteger(L, number);
    return 1 + settled(L, play_advance(p, 0));
}

/* play:response(number) -> status, type, fields, body | nil */
static int response(lua_State *L)
{
    struct bytes all;
    int status = play_response(play_at(L, 1), luaL_checkinteger(L, 2), &all);
    if (status == 0)
        return 0;
    lua_pushinteger(L, status);
    for (int i = 0; i < 2; i++) {
        const char *text = (const char *)all.at;
        lua_pushstring(L, text);
        all = bytes_skip(all, strlen(text) + 1);
    }
    push_bytes(L, all);
    return 4;
}

/* play:message(client, text, binary) */
static int message(lua_State *L)
{
    struct play *p = play_at(L, 1);
    play_message(p, client_at(L), bytes_at(L, 3), lua_toboolean(L, 4));
    return settled(L, play_advance(p, 0));
}

/* play:hang_up(client, code, reason) */
static int hang_up(lua_State *L)
{
    struct play *p = play_at(L, 1);
    play_hang_up(p, client_at(L), (uint16_t)luaL_checkinteger(L, 3), bytes_at(L, 4));
    return settled(L, play_advance(p, 0));
}

/* play:hear(client) -> text, binary | nil */
static int hear(lua_State *L)
{
    struct bytes text;
    bool binary;
    if (!play_hear(play_at(L, 1), client_at(L), &text, &binary))
        return 0;
    push_bytes(L, text);
    lua_pushboolean(L, binary);
    return 2;
}

/* play:closed(client) -> code, reason | nil */
static int closed(lua_State *L)
{
    struct bytes reason;
    uint16_t code = play_closed(play_at(L, 1), client_at(L), &reason);
    if (code == 0)
        return 0;
    lua_pushinteger(L, code);
    push_bytes(L, reason);
    return 2;
}

/* play:id(client) -> what scripts know it by */
static int id(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)play_id(play_at(L, 1), client_at(L)));
    return 1;
}

/* play:protocols() -> what the rules speak, each behind a comma */
static int protocols(lua_State *L)
{
    push_bytes(L, play_protocols(play_at(L, 1)));
    return 1;
}

/* play:advance(seconds) */
static int advance(lua_State *L)
{
    double seconds = luaL_checknumber(L, 2);
    luaL_argcheck(L, seconds >= 0 && seconds <= 1e9, 2, "seconds are 0 to 1e9");
    return settled(L, play_advance(play_at(L, 1), seconds));
}

/* play:asked() -> id, method and url and headers (each with a NUL behind it), body of the
 * next request to a service | nil */
static int asked(lua_State *L)
{
    const struct mail *m = play_asked(play_at(L, 1));
    if (!m)
        return 0;
    struct bytes all = mail_bytes(m);
    lua_pushinteger(L, (lua_Integer)m->id);
    push_bytes(L, (struct bytes){all.at, m->fetch.head_len});
    push_bytes(L, bytes_skip(all, m->fetch.head_len));
    return 3;
}

/* play:answer(id, status, headers, body) */
static int answer(lua_State *L)
{
    play_answer(play_at(L, 1), (uint64_t)luaL_checkinteger(L, 2),
                (uint16_t)luaL_checkinteger(L, 3), bytes_at(L, 4), bytes_at(L, 5));
    return 0;
}

/* play:now() -> seconds since 1970 */
static int now(lua_State *L)
{
    lua_pushnumber(L, play_now(play_at(L, 1)));
    return 1;
}

static int stop(lua_State *L)
{
    play_stop(play_at(L, 1));
    return 0;
}

/* play:log() -> array of {level=, text=} since the last call */
static int take_log(lua_State *L)
{
    struct bytes lines = play_log(play_at(L, 1));
    lua_newtable(L);
    for (lua_Integer n = 1; lines.len; n++) {
        const char *line = (const char *)lines.at, *space = strchr(line, ' ');
        lua_createtable(L, 0, 2);
        lua_pushlstring(L, line, (size_t)(space - line));
        lua_setfield(L, -2, "level");
        lua_pushstring(L, space + 1);
        lua_setfield(L, -2, "text");
        lua_rawseti(L, -2, n);
        lines = bytes_skip(lines, strlen(line) + 1);
    }
    return 1;
}

/* play:close() */
static int close(lua_State *L)
{
    struct box *box = luaL_checkudata(L, 1, PLAY_TYPE);
    play_free(box->play);
    box->play = NULL;
    return 0;
}

/* --- what testing.lua is given ------------------------------------------- */

/* Fills in what the table `name` of the table at 1 says, pairs of strings, and keeps
 * these in the table at 3. Returns how many. [-0, +0] */
static size_t read_pairs(lua_State *L, const char *name,
                         struct host_option pairs[SET_MAX])
{
    size_t n = 0;
    if (lua_getfield(L, 1, name) == LUA_TTABLE) {
        for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
            if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
                luaL_error(L, "%s: keys and values are strings", name);
            if (n == SET_MAX)
                luaL_error(L, "%s: %d pairs are the most", name, SET_MAX);
            pairs[n++] = (struct host_option){lua_tostring(L, -2), lua_tostring(L, -1)};
            lua_pushvalue(L, -1);
            lua_pushboolean(L, 1);
            lua_rawset(L, 3);
            lua_pushvalue(L, -2);
            lua_pushboolean(L, 1);
            lua_rawset(L, 3);
        }
    }
    lua_settop(L, 3);
    return n;
}

/* The same for the array `allow` of strings. */
static size_t read_allowed(lua_State *L, const char *allow[SET_MAX])
{
    size_t n = 0;
    if (lua_getfield(L, 1, "allow") == LUA_TTABLE) {
        for (; n < SET_MAX && lua_rawgeti(L, 4, (lua_Integer)n + 1) == LUA_TSTRING; n++) {
            allow[n] = lua_tostring(L, -1);
            lua_rawseti(L, 3, (lua_Integer)n + 2);
        }
    }
    lua_settop(L, 3);
    return n;
}

/* new_play{script=, set=, env=, allow=, seed=, now=} -> play */
static int new_play(lua_State *L)
{
    struct host_setup setup = *testing_of(L)->setup;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct box *box = lua_newuserdatauv(L, sizeof *box, 1);
    *box = (struct box){0};
    luaL_setmetatable(L, PLAY_TYPE);
    lua_newtable(L); /* what the setup points to */
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 2, 1);
    size_t count = read_pairs(L, "set", box->set);
    if (count) {
        setup.options = box->set;
        setup.option_count = count;
    }
    setup.env = box->env;
    setup.env_count = read_pairs(L, "env", box->env);
    count = read_allowed(L, box->allow);
    if (count) {
        setup.http_allow = box->allow;
        setup.http_allow_count = count;
    }
    lua_getfield(L, 1, "script");
    setup.script = luaL_checkstring(L, -1);
    lua_rawseti(L, 3, 1);
    lua_getfield(L, 1, "seed");
    setup.seed = (uint64_t)luaL_checkinteger(L, -1);
    lua_getfield(L, 1, "now");
    setup.wall = luaL_checknumber(L, -1);
    box->play = play_new(&setup);
    if (!box->play)
        return luaL_error(L, "not enough memory");
    lua_settop(L, 2);
    return 1;
}

/* report(name, line [, error]) */
static int report(lua_State *L)
{
    struct testing *t = testing_of(L);
    struct testing_case result = {luaL_checkstring(L, 1), (int)luaL_checkinteger(L, 2),
                                  luaL_optstring(L, 3, NULL)};
    t->report(t->ctx, &result);
    return 0;
}

static int run(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"load", load},       {"open", open},         {"message", message},
        {"hang_up", hang_up}, {"hear", hear},         {"closed", closed},
        {"id", id},           {"now", now},           {"protocols", protocols},
        {"request", request}, {"response", response}, {"stop", stop},
        {"log", take_log},    {"advance", advance},   {"close", close},
        {"__gc", close},      {"asked", asked},       {"answer", answer},
        {NULL, NULL},
    };
    static const luaL_Reg functions[] = {{"new_play", new_play},
                                         {"report", report},
                                         {"nearest", hint_nearest},
                                         {NULL, NULL}};
    struct testing *t = testing_of(L);
    luaL_openlibs(L);
    luaL_newmetatable(L, PLAY_TYPE);
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    if (luaL_loadbufferx(L, testing_lua, (size_t)(testing_lua_end - testing_lua),
                         "=charlua.test", "t") != LUA_OK)
        return lua_error(L);
    luaL_newlib(L, functions);
    luaL_requiref(L, "cjson.safe", luaopen_cjson_safe, 0);
    lua_setfield(L, -2, "json");
    lua_pushstring(L, t->file);
    lua_pushstring(L, t->filter);
    lua_call(L, 3, 0);
    return 0;
}

int testing_run(const struct host_setup *setup, const char *file, const char *filter,
                void (*report_case)(void *ctx, const struct testing_case *result),
                void *ctx, char *error, size_t size)
{
    struct testing t = {setup, file, filter, report_case, ctx};
    lua_State *L = luaL_newstate();
    if (!L) {
        snprintf(error, size, "not enough memory");
        return -1;
    }
    *(struct testing **)lua_getextraspace(L) = &t;
    lua_pushcfunction(L, run);
    int status = lua_pcall(L, 0, 0, 0);
    if (status != LUA_OK)
        snprintf(error, size, "%s", luaL_tolstring(L, -1, NULL));
    lua_close(L);
    return status == LUA_OK ? 0 : -1;
}
