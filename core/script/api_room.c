/* api_room: the type `room`: a name (user value 1), and a table of state (user value 2)
 * once it was touched. */
#include "script/api.h"
#include "script/api_parts.h"
#include "script/objects.h"

#include "lua/hint.h"
#include "lua/json.h"
#include "wire/utf8.h"

enum {
    LIST_MAX = 1000,      /* entries of one room:list */
    LIST_FIELDS_MAX = 16, /* of each */
    LIST_ENTRY_NS = 400,  /* beside what its values cost */
};

/* room:send(value [, {except=client}]) -> true */
static int send_to_members(lua_State *L)
{
    struct bytes name;
    struct room *r = room_check(L, 1, &name);
    uint64_t except = api_check_except(L, 3, "room:send");
    struct outframe *f = api_frame(L, 2);
    enum world_result result =
        r ? world_broadcast(&host_of(L)->world, r, except, f) : WORLD_OK;
    outframe_unref(f);
    return api_push_result(L, result, NULL);
}

/* The membership behind that of the client `id`. False: it is no member. */
static bool find_after(lua_State *L, const struct room *r, uint64_t id, uint32_t *out)
{
    struct world *w = &host_of(L)->world;
    struct client *c = world_client(w, id);
    uint32_t m = c && r ? roster_find(&w->roster, &c->roster, &r->roster) : 0;
    *out = m ? roster_next(&w->roster, ROSTER_ROOM, m) : 0;
    return m != 0;
}

/* room:members([{after=, limit=}]) -> array of clients in order of joining | nil, "no
 * such member" */
static int members(lua_State *L)
{
    struct bytes name;
    struct api_piece piece;
    const struct world *w = &host_of(L)->world;
    struct room *r = room_check(L, 1, &name);
    api_check_piece(L, 2, "room:members", &piece);
    uint32_t m = r ? r->roster.first : 0;
    if (piece.after && !find_after(L, r, piece.after, &m)) {
        lua_pushnil(L);
        lua_pushliteral(L, "no such member");
        return 2;
    }
    lua_Integer n = 0;
    lua_newtable(L);
    for (; m && n < piece.limit; m = roster_next(&w->roster, ROSTER_ROOM, m)) {
        client_push(L, world_member(w, m));
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

/* What room:list was asked for. */
struct listing {
    uint32_t at;     /* the membership to begin with, or 0 */
    lua_Integer max; /* entries */
    uint64_t except; /* a client's id, or 0 */
    int last;        /* stack index of the entry to end with, or 0 */
    int field_count;
};

/* Pushes the fields' names. [-0, +field_count] */
static void push_fields(lua_State *L, struct listing *it)
{
    static const char not_names[] = "an array of names of fields in client.state";
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_Unsigned n = lua_rawlen(L, 2);
    luaL_argcheck(L, n <= LIST_FIELDS_MAX, 2, "at most 16 fields");
    if (n == 0) {
        lua_pushnil(L);
        if (lua_next(L, 2)) /* {name = true} */
            luaL_argerror(L, 2, not_names);
    }
    for (lua_Unsigned i = 1; i <= n; i++)
        if (lua_rawgeti(L, 2, (lua_Integer)i) != LUA_TSTRING)
            luaL_argerror(L, 2, not_names);
    it->field_count = (int)n;
}

/* Reads the options at 3. False: `after` is no member. */
static bool read_options(lua_State *L, const struct room *r, struct listing *it)
{
    static const char *const names[] = {"after", "limit", "except", "last", NULL};
    bool found = true;
    *it = (struct listing){.at = r ? r->roster.first : 0, .max = LIST_MAX};
    if (lua_isnil(L, 3))
        return true;
    luaL_checktype(L, 3, LUA_TTABLE);
    api_check_fields(L, 3, "room:list", names);
    if (lua_getfield(L, 3, "limit") != LUA_TNIL) {
        it->max = lua_tointeger(L, -1); /* JSON's numbers are floats */
        luaL_argcheck(L, it->max >= 1 && it->max <= LIST_MAX, 3,
                      "limit is an integer from 1 to 1000");
    }
    uint64_t after;
    client_option(L, 3, "except", false, &it->except);
    if (client_option(L, 3, "after", true, &after))
        found = find_after(L, r, after, &it->at);
    lua_settop(L, 3);
    if (lua_getfield(L, 3, "last") == LUA_TNIL)
        lua_settop(L, 3);
    else if (json_text(L, 4).at)
        it->last = 4;
    else
        luaL_argerror(L, 3, "last is a chat.object");
    return found;
}

/* Appends the object of `c`: its id and what its state has of the fields at `fields`.
 * Raw: a metamethod could use the buffer, too. [-0, +0] */
static void append_entry(lua_State *L, struct client *c, const struct listing *it,
                         int fields, struct buf *out)
{
    int state = lua_gettop(L) + 1;
    client_push_state(L, c);
    lua_pushliteral(L, "uid");
    lua_pushinteger(L, (lua_Integer)c->id);
    for (int i = 0; lua_istable(L, state) && i < it->field_count; i++) {
        lua_pushvalue(L, fields + i);
        lua_pushvalue(L, fields + i);
        lua_rawget(L, state);
    }
    json_encode_pairs(L, state + 1, lua_gettop(L), out, host_of(L)->setup.frame_max);
    lua_settop(L, state - 1);
}

static void append(lua_State *L, struct buf *out, struct bytes text)
{
    if (buf_append(out, text) < 0)
        luaL_error(L, "not enough memory");
}

/* Appends the members that are asked for. Returns the membership that comes next, or 0.
 * [-0, +0] */
static uint32_t append_members(lua_State *L, const struct listing *it, int fields,
                               struct buf *out)
{
    const struct world *w = &host_of(L)->world;
    lua_Integer left = it->max - (it->last != 0);
    uint32_t m = it->at;
    for (; m; m = roster_next(&w->roster, ROSTER_ROOM, m)) {
        struct client *c = world_member(w, m);
        if (c->id == it->except)
            continue;
        if (left-- == 0)
            break;
        budget_work(L, LIST_ENTRY_NS);
        if (out->len > 1)
            append(L, out, bytes_of(","));
        append_entry(L, c, it, fields, out);
    }
    return m;
}

/* room:list(fields [, {after=, limit=, except=, last=}]) -> a JSON array, whether more
 * members follow | nil, "no such member" */
static int list(lua_State *L)
{
    struct bytes name;
    struct listing it;
    struct buf *out = &host_of(L)->text;
    struct room *r = room_check(L, 1, &name);
    lua_settop(L, 3);
    luaL_checkstack(L, LIST_FIELDS_MAX * 3 + 8, "room:list");
    if (!read_options(L, r, &it)) {
        lua_pushnil(L);
        lua_pushliteral(L, "no such member");
        return 2;
    }
    int fields = lua_gettop(L) + 1;
    push_fields(L, &it);
    out->len = 0;
    append(L, out, bytes_of("["));
    uint32_t next = append_members(L, &it, fields, out);
    if (it.last) {
        if (out->len > 1)
            append(L, out, bytes_of(","));
        append(L, out, json_text(L, it.last));
    }
    append(L, out, bytes_of("]"));
    json_push(L, buf_bytes(out));
    lua_pushboolean(L, next != 0);
    return 2;
}

/* The state lives as long as the room does: while somebody is in it, else until the
 * handler ends. */
static int push_state(lua_State *L)
{
    struct bytes name;
    struct room *r = room_check(L, 1, &name);
    if (!r && world_make_room(&host_of(L)->world, name, &r) != WORLD_OK)
        return luaL_error(L, "too many rooms");
    if (lua_getiuservalue(L, 1, ROOM_STATE) == LUA_TTABLE)
        return 1;
    host_push(L, KEY_ANCHORS);
    lua_pushvalue(L, 1);
    lua_rawsetp(L, -2, r);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, ROOM_STATE);
    return 1;
}

/* room.name, .size, .state and the methods */
static int room_index(lua_State *L)
{
    static const char *const fields[] = {"name", "size", "state", NULL};
    struct bytes name;
    struct room *r = room_check(L, 1, &name);
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    if (strcmp(key, "state") == 0)
        return push_state(L);
    if (strcmp(key, "name") == 0) {
        lua_getiuservalue(L, 1, ROOM_NAME);
        return 1;
    }
    if (strcmp(key, "size") == 0) {
        lua_pushinteger(L, r ? r->roster.count : 0);
        return 1;
    }
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL)
        return hint_raise(L, "a room", 2, lua_upvalueindex(1), fields);
    return 1;
}

static int refuse_assignment(lua_State *L)
{
    return luaL_error(
        L, "a room's '%s' can't be assigned: put what is yours into room.state",
        luaL_tolstring(L, 2, NULL));
}

static int room_tostring(lua_State *L)
{
    luaL_checkudata(L, 1, ROOM_TYPE);
    lua_getiuservalue(L, 1, ROOM_NAME);
    lua_pushfstring(L, "room %s", lua_tostring(L, -1));
    return 1;
}

void room_register(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"send", send_to_members}, {"members", members}, {"list", list}, {NULL, NULL}};
    api_new_type(L, ROOM_TYPE, "a room can't be sent: send room.name", methods,
                 room_index, refuse_assignment);
    luaL_getmetatable(L, ROOM_TYPE);
    lua_pushcfunction(L, room_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
}
