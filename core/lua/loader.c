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
    f->size = -1;
    f->device = f->inode = 0;
    f->mtime = f->ctime = (struct timespec){0};
    if (!there)
        return;
    f->size = st.st_size;
    f->device = st.st_dev;
    f->inode = st.st_ino;
    f->mtime = st.st_mtim;
    f->ctime = st.st_ctim;
}

static bool is_same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Whether it is the same file, untouched. Size and time alone miss a link that is turned
 * to a file of another folder: who builds images gives every file the same time. */
static bool is_same(const struct loaded_file *a, const struct loaded_file *b)
{
    return a->size == b->size && a->device == b->device && a->inode == b->inode &&
           is_same_time(a->mtime, b->mtime) && is_same_time(a->ctime, b->ctime);
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
        moving |= !is_same(&before, &l->files[i]);
    }
    bool settled = l->changed && !moving;
    l->changed = moving;
    return settled;
}

void loader_keep(struct loader *to, const struct loader *from)
{
    size_t size = (size_t)from->count * sizeof *from->files;
    struct loaded_file *files = malloc(size + 1);
    loader_deinit(to);
    if (!files)
        return;
    if (size)
        memcpy(files, from->files, size);
    to->files = files;
    to->count = from->count;
}

static const struct loaded_file *find(const struct loader *l, const char *path)
{
    for (int i = 0; i < l->count; i++)
        if (strcmp(l->files[i].path, path) == 0)
            return &l->files[i];
    return NULL;
}

/* Appends " field=" before the first name and "," before others, as far as they fit. */
static void append_name(char *text, size_t size, const char *field, const char *path,
                        int *count)
{
    const char *slash = strrchr(path, '/');
    size_t len = strlen(text);
    const char *name = slash ? slash + 1 : path;
    if (len + strlen(field) + strlen(name) + 4 > size)
        return;
    if (*count == 0)
        snprintf(text + len, size - len, " %s=%s", field, name);
    else
        snprintf(text + len, size - len, ",%s", name);
    ++*count;
}

void loader_describe(const struct loader *before, const struct loader *now, char *text,
                     size_t size)
{
    int changed = 0, added = 0, removed = 0;
    const struct loaded_file *old;
    text[0] = '\0';
    for (int i = 0; i < now->count; i++)
        if ((old = find(before, now->files[i].path)) && !is_same(old, &now->files[i]))
            append_name(text, size, "changed", now->files[i].path, &changed);
    for (int i = 0; i < now->count; i++)
        if (!find(before, now->files[i].path))
            append_name(text, size, "added", now->files[i].path, &added);
    for (int i = 0; i < before->count; i++)
        if (!find(now, before->files[i].path))
            append_name(text, size, "removed", before->files[i].path, &removed);
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
