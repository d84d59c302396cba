/* inspect: what a scratch host knows of the rules, as a table for inspect.lua. */
#include "play/inspect.h"

#include "script/api_parts.h"
#include "script/app.h"
#include "script/builtins.h"
#include "lua/hint.h"
#include "lua/sandbox.h"
#include "lua/trusted.h"
#include "script/reload.h"
#include "wire/origin.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>

/* inspect.lua as it was when this was built. */
extern const char inspect_lua[] __attribute__((visibility("hidden")));
extern const char inspect_lua_end[] __attribute__((visibility("hidden")));
__asm__(".pushsection .rodata\n"
        "inspect_lua:\n"
        ".incbin \"core/play/inspect.lua\"\n"
        "inspect_lua_end:\n"
        ".byte 0\n"
        ".popsection\n");

struct inspection {
    struct host *host;
    const char *error; /* why the rules can't be loaded; NULL: they can */
    void (*report)(void *ctx, const struct inspect_finding *finding);
    void *ctx;
};

static struct inspection *inspection_of(lua_State *L)
{
    return *(struct inspection **)lua_getextraspace(L);
}

/* report(file, line, is_error, message) */
static int report(lua_State *L)
{
    struct inspection *in = inspection_of(L);
    struct inspect_finding finding = {luaL_checkstring(L, 1),
                                      (int)luaL_checkinteger(L, 2), lua_toboolean(L, 3),
                                      luaL_checkstring(L, 4)};
    in->report(in->ctx, &finding);
    return 0;
}

/* Sets field `name` of the table on top of `to` to the names (keys that are strings) of
 * the table on top of `from`, as a set; pops that. [from: -1, to: -0, +0] */
static void copy_names(lua_State *from, lua_State *to, const char *name)
{
    lua_newtable(to);
    for (lua_pushnil(from); lua_istable(from, -2) && lua_next(from, -2);
         lua_pop(from, 1)) {
        if (lua_type(from, -2) != LUA_TSTRING)
            continue;
        lua_pushboolean(to, 1);
        lua_setfield(to, -2, lua_tostring(from, -2));
    }
    lua_settop(from, 0);
    lua_setfield(to, -2, name);
}

/* The same with the methods of `type`, which its __index has as an upvalue. */
static void copy_methods(lua_State *from, lua_State *to, const char *name,
                         const char *type)
{
    luaL_getmetatable(from, type);
    lua_getfield(from, -1, "__index");
    lua_getupvalue(from, -1, 1);
    copy_names(from, to, name);
}

/* Sets field `env` of the table on top to the names that chat.env may be asked for, as a
 * set.
 * [-0, +0] */
static void push_allowed(lua_State *L, const struct host_setup *setup)
{
    lua_newtable(L);
    for (size_t i = 0; i < setup->env_count; i++) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, setup->env[i].key);
    }
    lua_setfield(L, -2, "env");
}

/* Pushes the table `facts` for inspect.lua. [-0, +1] */
static void push_facts(lua_State *L, const struct inspection *in)
{
    lua_State *rules = in->host->vm.L;
    lua_newtable(L);
    lua_pushstring(L, in->host->setup.script);
    lua_setfield(L, -2, "script");
    lua_pushstring(L, in->error);
    lua_setfield(L, -2, "error");
    lua_newtable(L);
    for (int i = 0; i < in->host->loader.count; i++) {
        lua_pushstring(L, in->host->loader.files[i].path);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "files");
    builtins_push(rules);
    lua_getfield(rules, -1, "charlua");
    copy_names(rules, L, "chat");
    sandbox_push(rules);
    if (in->host->setup.trusted)
        trusted_open(rules);
    copy_names(rules, L, "globals");
    push_allowed(L, &in->host->setup);
    copy_methods(rules, L, "client", "charlua.client");
    copy_methods(rules, L, "room", "charlua.room");
    copy_methods(rules, L, "request", "charlua.request");
    app_push(rules, NULL, "on");
    copy_names(rules, L, "on");
    app_push(rules, NULL, "timers");
    copy_names(rules, L, "timers");
    app_push(rules, NULL, "on_message");
    lua_pushboolean(L, lua_isfunction(rules, -1));
    lua_setfield(L, -2, "on_message");
    lua_settop(rules, 0);
}

/* may_ask(url) -> its origin, whether --http-allow lets rules ask it | nil: it is no URL
 */
static int may_ask(lua_State *L)
{
    size_t len;
    char origin[ORIGIN_MAX];
    const char *url = luaL_checklstring(L, 1, &len);
    if (origin_of_url((struct bytes){(const uint8_t *)url, len}, origin) < 0)
        return 0;
    lua_pushstring(L, origin);
    lua_pushboolean(L, api_may_ask(&inspection_of(L)->host->setup, origin));
    return 2;
}

static int inspect(lua_State *L)
{
    luaL_openlibs(L);
    if (luaL_loadbufferx(L, inspect_lua, (size_t)(inspect_lua_end - inspect_lua),
                         "=charlua check", "t") != LUA_OK)
        return lua_error(L);
    push_facts(L, inspection_of(L));
    lua_pushcfunction(L, report);
    lua_pushcfunction(L, hint_nearest);
    lua_pushcfunction(L, may_ask);
    lua_call(L, 4, 0);
    return 0;
}

int inspect_run(const struct host_setup *setup,
                void (*report_finding)(void *ctx, const struct inspect_finding *finding),
                void *ctx, char *error, size_t size)
{
    char why[VM_ERROR_SIZE];
    struct inspection in = {
        .host = host_new(setup), .report = report_finding, .ctx = ctx};
    lua_State *L = luaL_newstate();
    int status = LUA_ERRMEM;
    if (in.host && L) {
        in.error = reload_try(in.host, why) < 0 ? why : NULL;
        *(struct inspection **)lua_getextraspace(L) = &in;
        lua_pushcfunction(L, inspect);
        status = lua_pcall(L, 0, 0, 0);
    }
    if (status != LUA_OK)
        snprintf(error, size, "%s",
                 L && lua_gettop(L) ? luaL_tolstring(L, -1, NULL) : "not enough memory");
    if (L)
        lua_close(L);
    host_free(in.host);
    return status == LUA_OK ? 0 : -1;
}
