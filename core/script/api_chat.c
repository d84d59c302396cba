/* api_chat: the module `charlua`, by custom called chat. */
#include "script/api.h"
#include "script/api_parts.h"
#include "script/app.h"
#include "script/name_key.h"
#include "script/objects.h"
#include "script/task.h"
#include "lua/guard.h"
#include "lua/hint.h"
#include "lua/json.h"

#include <math.h>

enum { TIMERS_MAX = 100000 };

/* chat.room(name) -> room */
static int room(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TSTRING);
    room_push(L, 1);
    return 1;
}

/* chat.rooms() -> array of the rooms that are there, in no order */
static int rooms(lua_State *L)
{
    size_t at = 0;
    lua_Integer n = 0;
    lua_newtable(L);
    for (struct room *r; (r = map_next(&host_of(L)->world.rooms, &at));) {
        room_push_name(L, r);
        room_push(L, -1);
        lua_remove(L, -2);
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

/* chat.client(id) -> client | nil */
static int client(lua_State *L)
{
    int is_integer;
    lua_Integer id = lua_tointegerx(L, 1, &is_integer);
    struct client *c = is_integer ? world_client(&host_of(L)->world, (uint64_t)id) : NULL;
    if (c && client_is_here(c))
        client_push(L, c);
    else
        lua_pushnil(L);
    return 1;
}

/* chat.clients([{after=, limit=}]) -> array of clients, in no order, but the same one
 * each time: by the slots that they have, so that a walk goes on behind one who has gone
 */
static int clients(lua_State *L)
{
    struct api_piece piece;
    const struct world *w = &host_of(L)->world;
    api_check_piece(L, 1, "chat.clients", &piece);
    uint32_t at = piece.after ? world_walk_after(w, piece.after) : 0;
    lua_Integer n = 0;
    lua_newtable(L);
    for (struct client *c; n < piece.limit && (c = world_next_client(w, &at));) {
        if (!client_is_here(c))
            continue;
        client_push(L, c);
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

/* chat.send(value [, {except=client}]) -> true: to everybody */
static int send_to_all(lua_State *L)
{
    uint64_t except = api_check_except(L, 2, "chat.send");
    struct outframe *f = api_frame(L, 1);
    enum world_result result = world_broadcast(&host_of(L)->world, NULL, except, f);
    outframe_unref(f);
    return api_push_result(L, result, NULL);
}

/* chat.now() -> seconds since 1970, with fractions */
static int now(lua_State *L)
{
    lua_pushnumber(L, host_of(L)->wall);
    return 1;
}

/* chat.clock() -> seconds on a clock that never steps */
static int steady(lua_State *L)
{
    lua_pushnumber(L, host_of(L)->now);
    return 1;
}

/* Adds a timer for what stands on the stack from 2 on; pushes its id. */
static int add_timer(lua_State *L, double seconds, double period)
{
    struct host *h = host_of(L);
    luaL_argcheck(L, seconds >= 0 && seconds <= 1e9, 1, "seconds are 0 to 1e9");
    if (lua_type(L, 2) != LUA_TSTRING)
        luaL_argcheck(L, lua_isfunction(L, 2), 2,
                      "a function or the name of one in app.timers");
    if (h->timers.count >= TIMERS_MAX)
        return luaL_error(L, "too many timers (%d)", TIMERS_MAX);
    int n = lua_gettop(L) - 1;
    lua_createtable(L, n, 1);
    lua_insert(L, 2);
    for (int i = n; i >= 1; i--)
        lua_rawseti(L, 2, i);
    lua_pushinteger(L, n);
    lua_setfield(L, 2, "n");
    host_push(L, KEY_TIMERS);
    lua_pushvalue(L, 2);
    lua_Integer id = (lua_Integer)h->timers.last_id + 1;
    lua_rawseti(L, -2, id);
    struct timer *t = timers_add(&h->timers, h->now + seconds, period, NULL);
    if (!t) {
        lua_pushnil(L);
        lua_rawseti(L, -2, id);
        return luaL_error(L, "not enough memory");
    }
    t->at_load = !h->current;
    lua_pushinteger(L, id);
    return 1;
}

/* chat.after(seconds, function or name, ...) -> id */
static int after(lua_State *L)
{
    return add_timer(L, luaL_checknumber(L, 1), 0);
}

/* chat.every(seconds, function or name, ...) -> id */
static int every(lua_State *L)
{
    double seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0.01, 1, "a period is at least 0.01 seconds");
    return add_timer(L, seconds, seconds);
}

/* chat.spawn(function, ...): runs it by itself, after this handler */
static int spawn(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_pushinteger(L, 0);
    lua_insert(L, 1);
    return add_timer(L, 0, 0);
}

/* chat.cancel(id) -> true | nil, "no such timer" */
static int cancel(lua_State *L)
{
    struct host *h = host_of(L);
    uint64_t id = (uint64_t)luaL_checkinteger(L, 1);
    struct timer *t = timers_find(&h->timers, id);
    if (!t || t->owner || t->cancelled || t->fired) {
        lua_pushnil(L);
        lua_pushliteral(L, "no such timer");
        return 2;
    }
    if (buf_append(&h->cancelled, (struct bytes){(uint8_t *)&id, sizeof id}) < 0)
        return luaL_error(L, "not enough memory");
    t->cancelled = true;
    lua_pushboolean(L, 1);
    return 1;
}

/* chat.sleep(seconds) -> true | nil, "closed" when the handler's client has gone */
static int wait_for(lua_State *L)
{
    double seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0 && seconds <= 1e9, 1, "seconds are 0 to 1e9");
    if (!task_may_wait(L, "chat.sleep"))
        return 2;
    task_begin_wait(L, seconds, NULL);
    return lua_yield(L, 0);
}

/* chat.log([level,] ...): level is "error", "warn", "info" (if none is said) or "debug"
 */
static int write_log(lua_State *L)
{
    enum { LOG_NS = 5000 }; /* a system call */
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    enum log_level level = LOG_INFO;
    int n = lua_gettop(L), first = 1;
    for (int i = 0; i < 4 && n > 1 && lua_type(L, 1) == LUA_TSTRING; i++) {
        if (strcmp(lua_tostring(L, 1), levels[i]) == 0) {
            level = (enum log_level)i;
            first = 2;
        }
    }
    luaL_Buffer line;
    guard_strings(L, 1);
    budget_work(L, LOG_NS);
    luaL_buffinit(L, &line);
    for (int i = first; i <= n; i++) {
        if (i > first)
            luaL_addchar(&line, ' ');
        luaL_tolstring(L, i, NULL);
        luaL_addvalue(&line);
    }
    luaL_pushresult(&line);
    log_line(host_of(L)->setup.log, level, "script: %s", lua_tostring(L, -1));
    return 0;
}

/* chat.object(key, value, ...) -> a value to send: a JSON object in just this order,
 * without nils */
static int object(lua_State *L)
{
    struct buf *out = &host_of(L)->text;
    size_t max = host_of(L)->setup.frame_max;
    int n = lua_gettop(L);
    luaL_argcheck(L, n % 2 == 0, n, "a key without a value");
    for (int i = 1; i <= n; i += 2)
        luaL_checktype(L, i, LUA_TSTRING);
    out->len = 0;
    json_encode_pairs(L, 1, n, out, max);
    json_push(L, buf_bytes(out));
    return 1;
}

/* chat.array([t]) -> a value to send: a JSON array of t[1] to t[#t], also of none */
static int array(lua_State *L)
{
    struct buf *out = &host_of(L)->text;
    lua_settop(L, 1);
    if (lua_isnil(L, 1)) {
        lua_newtable(L);
        lua_replace(L, 1);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    out->len = 0;
    json_encode_array(L, 1, out, host_of(L)->setup.frame_max);
    json_push(L, buf_bytes(out));
    return 1;
}

/* chat.hook(event, function [, priority]) -> a hook, to be put into a module's table */
static int hook(lua_State *L)
{
    const char *event = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    app_push_hook(L, event, 2, luaL_optnumber(L, 3, 0));
    return 1;
}

/* chat.handler(type) -> the function of the rules in force for messages of this type |
 * nil
 */
static int handler(lua_State *L)
{
    const char *type = luaL_checkstring(L, 1);
    app_push(L, "on", type);
    return 1;
}

/* What the characters that mean something in HTML are in its text. */
static const char *const entities[256] = {
    ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\''] = "&#039;"};

/* Bytes that these take more. */
static const uint8_t entities_extra[256] = {
    ['&'] = 4, ['<'] = 3, ['>'] = 3, ['"'] = 5, ['\''] = 5};

/* chat.escape_html(text) -> text with & < > " ' as entities */
static int escape_html(lua_State *L)
{
    enum { ESCAPE_NS = 4 }; /* a byte */
    size_t len, extra = 0;
    const uint8_t *text = (const uint8_t *)luaL_checklstring(L, 1, &len);
    luaL_Buffer out;
    budget_work(L, len * ESCAPE_NS);
    for (size_t i = 0; i < len; i++)
        extra += entities_extra[text[i]];
    if (extra == 0) {
        lua_settop(L, 1);
        return 1;
    }
    vm_check_string(L, len + extra);
    char *to = luaL_buffinitsize(L, &out, len + extra);
    for (size_t i = 0; i < len; i++) {
        if (entities[text[i]])
            to = stpcpy(to, entities[text[i]]);
        else
            *to++ = (char)text[i];
    }
    luaL_pushresultsize(&out, len + extra);
    return 1;
}

/* chat.name_key(text) -> the key by which names are compared | nil, "invisible",
 * "malformed" or "too long" */
static int key_of_name(lua_State *L)
{
    static const char *const reasons[] = {NULL, "invisible", "malformed", "too long"};
    enum { KEY_NS = 2500 }; /* a byte, at its worst */
    struct buf *out = &host_of(L)->text;
    struct bytes name = {0};
    enum name_key result = NAME_KEY_MALFORMED;
    out->len = 0;
    if (lua_type(L, 1) == LUA_TSTRING) {
        name.at = (const uint8_t *)lua_tolstring(L, 1, &name.len);
        budget_work(L, (name.len < NAME_KEY_MAX ? name.len : NAME_KEY_MAX) * KEY_NS);
        result = name_key(name, out);
    }
    if (result == NAME_KEY_NO_MEMORY)
        return luaL_error(L, "not enough memory");
    lua_pushlstring(L, out->len ? (const char *)out->at : "", out->len);
    if (result == NAME_KEY_OK)
        return 1;
    lua_pushnil(L);
    lua_pushstring(L, reasons[result]);
    return 2;
}

/* Sets chat.options and chat.native of the table on top. [-0, +0] */
static void add_setup(lua_State *L, const struct host_setup *setup)
{
    lua_newtable(L);
    for (size_t i = 0; i < setup->option_count; i++) {
        lua_pushstring(L, setup->options[i].value);
        lua_setfield(L, -2, setup->options[i].key);
    }
    lua_setfield(L, -2, "options");
    lua_newtable(L);
    for (size_t i = 0; i < setup->native_count; i++) {
        lua_pushlightuserdata(L, setup->natives[i].context);
        lua_pushcclosure(L, setup->natives[i].function, 1);
        lua_setfield(L, -2, setup->natives[i].name);
    }
    lua_setfield(L, -2, "native");
}

void chat_push(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"room", room},        {"rooms", rooms},
        {"client", client},    {"clients", clients},
        {"send", send_to_all}, {"now", now},
        {"after", after},      {"every", every},
        {"cancel", cancel},    {"sleep", wait_for},
        {"spawn", spawn},      {"hook", hook},
        {"handler", handler},  {"log", write_log},
        {"object", object},    {"escape_html", escape_html},
        {"array", array},      {"name_key", key_of_name},
        {"clock", steady},     {NULL, NULL},
    };
    luaL_newlib(L, functions);
    lua_pushstring(L, host_of(L)->setup.version);
    lua_setfield(L, -2, "version");
    host_push(L, KEY_STATE);
    lua_setfield(L, -2, "state");
    add_setup(L, &host_of(L)->setup);
    crypto_add(L);
    env_add(L);
    http_add(L);
    hint_guard(L, "chat");
}
