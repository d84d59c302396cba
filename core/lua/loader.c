/* loader: our own `require`, for a load must never see the modules of the one before. */
#include "lua/loader.h"

#include "lua/sandbox.h"
#include "lua/trusted.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Upvalues of require. */
enum { UP_LOADER = 1, UP_DIR, UP_ENVIRONMENT, UP_MODULES };

void loader_deinit(struct loader *l)
{
    free(l->files);
    *l = (struct loader){0};
}

/* How the file looks now. */
static void look(struct loaded_file *f)
{
    struct stat st;
    bool there = stat(f->path, &st) == 0;
    f->mtime = there ? st.st_mtim : (struct timespec){0};
    f->size = there ? st.st_size : -1;
}

/* Notes that `path` was asked for. */
static void note(struct loader *l, const char *path)
{
    if (l->count == LOADER_FILES_MAX)
        return;
    struct loaded_file *files = realloc(l->files, (size_t)(l->count + 1) * sizeof *files);
    if (!files)
        return; /* it is not watched */
    l->files = files;
    snprintf(files[l->count].path, LOADER_PATH_MAX, "%s", path);
    look(&files[l->count++]);
}

bool loader_has_changed(struct loader *l)
{
    bool moving = false;
    for (int i = 0; i < l->count; i++) {
        struct loaded_file before = l->files[i];
        look(&l->files[i]);
        moving |= before.size != l->files[i].size ||
                  before.mtime.tv_sec != l->files[i].mtime.tv_sec ||
                  before.mtime.tv_nsec != l->files[i].mtime.tv_nsec;
    }
    bool settled = l->changed && !moving;
    l->changed = moving;
    return settled;
}

/* Compiles `path`, or `source` in its place, with the globals at `environment`; pushes
 * the chunk. [-0, +1] */
static void compile(lua_State *L, struct loader *l, const char *path, struct bytes source,
                    int environment)
{
    environment = lua_absindex(L, environment);
    note(l, path);
    const char *name = lua_pushfstring(L, "@%s", path);
    int status = source.len
                     ? luaL_loadbufferx(L, (const char *)source.at, source.len, name, "t")
                     : luaL_loadfilex(L, path, "t");
    if (status != LUA_OK)
        lua_error(L);
    lua_remove(L, -2);
    lua_pushvalue(L, environment);
    lua_setupvalue(L, -2, 1);
}

/* Module names: letters, digits, '_' and '-', with single dots between parts. */
static bool is_module_name(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    size_t len = strlen(name);
    return len > 0 && len < 200 && strspn(name, allowed) == len && name[0] != '.' &&
           name[len - 1] != '.' && !strstr(name, "..");
}

static int require(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    lua_settop(L, 1);
    if (lua_getfield(L, lua_upvalueindex(UP_MODULES), name) != LUA_TNIL) {
        if (lua_islightuserdata(L, -1))
            return luaL_error(
                L, "module '%s' requires itself, directly or through another", name);
        return 1;
    }
    if (strcmp(name, "charlua.test") == 0)
        return luaL_error(L, "charlua.test is for tests: say charlua test FILE...");
    if (!is_module_name(name))
        return luaL_error(L, "'%s' is no module's name", name);
    const char *file = luaL_gsub(L, name, ".", "/");
    const char *path =
        lua_pushfstring(L, "%s/%s.lua", lua_tostring(L, lua_upvalueindex(UP_DIR)), file);
    struct loader *l = lua_touserdata(L, lua_upvalueindex(UP_LOADER));
    bool elsewhere = l->trusted && access(path, F_OK) != 0;
    if (elsewhere)
        trusted_find(L, name, lua_upvalueindex(UP_ENVIRONMENT));
    else
        compile(L, l, path, (struct bytes){0}, lua_upvalueindex(UP_ENVIRONMENT));
    lua_pushlightuserdata(L, L);
    lua_setfield(L, lua_upvalueindex(UP_MODULES), name);
    lua_pushvalue(L, 1);
    if (elsewhere)
        lua_insert(L, -2); /* function, name, where it was found */
    if (lua_pcall(L, elsewhere ? 2 : 1, 1, 0) != LUA_OK) {
        lua_pushnil(L);
        lua_setfield(L, lua_upvalueindex(UP_MODULES), name); /* to be tried again */
        return lua_error(L);
    }
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushboolean(L, 1);
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, lua_upvalueindex(UP_MODULES), name);
    return 1;
}

void loader_run(lua_State *L, struct loader *l, const char *script, struct bytes source,
                int builtins)
{
    const char *slash = strrchr(script, '/');
    builtins = lua_absindex(L, builtins);
    l->count = 0;
    l->changed = false;
    sandbox_push(L);
    if (l->trusted)
        trusted_open(L);
    int environment = lua_gettop(L);
    lua_pushlightuserdata(L, l);
    lua_pushlstring(L, slash ? script : ".", slash ? (size_t)(slash - script) : 1);
    lua_pushvalue(L, environment);
    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, builtins);) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_settable(L, -4);
    }
    lua_pushcclosure(L, require, UP_MODULES);
    lua_pushliteral(L, "require");
    lua_insert(L, -2);
    lua_rawset(L, environment);
    lua_getfield(L, builtins, "charlua");
    lua_getfield(L, -1, "log");
    lua_pushliteral(L, "print");
    lua_insert(L, -2);
    lua_rawset(L, environment); /* print writes to the log */
    lua_pop(L, 1);
    compile(L, l, script, source, environment);
    lua_remove(L, environment);
    lua_call(L, 0, 1);
}
