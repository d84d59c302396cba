/* route: a response travels as world_respond has it: type, fields, body, in one text. */
#include "script/route.h"

#include "script/api_request.h"
#include "script/app.h"
#include "lua/json.h"
#include "wire/answer.h"
#include "wire/field.h"
#include "wire/http.h"
#include "wire/routes.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

enum { RESPONSE_MAX = 1024 * 1024 }; /* bytes of a body */

#define JSON_TYPE_FIELD "application/json\0"
#define JSON_START      JSON_TYPE_FIELD "\0" /* no further fields */

static const char not_found[] = JSON_START "{\"error\":\"not_found\"}",
                  internal[] = JSON_START "{\"error\":\"internal\"}",
                  busy[] = JSON_START "{\"error\":\"busy\"}";

static bool stage(struct host *h, uint64_t id, int status, struct bytes response)
{
    return world_respond(&h->world, id, status, response) == WORLD_OK;
}

static struct bytes without_nul(const char *text, size_t size)
{
    return (struct bytes){(const uint8_t *)text, size - 1};
}

/* --- routes -------------------------------------------------------------- */

static void append(lua_State *L, struct buf *out, struct bytes add)
{
    if (buf_append(out, add) < 0)
        luaL_error(L, "not enough memory");
}

void route_load(lua_State *L, struct host *h)
{
    struct buf *list = &h->text;
    int count = 0;
    list->len = 0;
    if (lua_getfield(L, -1, "http") == LUA_TTABLE) {
        for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
            if (lua_type(L, -2) != LUA_TSTRING)
                luaL_error(
                    L, "app.http has a key that is a %s; keys are like \"POST /hooks/x\"",
                    luaL_typename(L, -2));
            struct bytes key;
            key.at = (const uint8_t *)lua_tolstring(L, -2, &key.len);
            const char *fault = routes_fault(key);
            if (fault)
                luaL_error(L, "app.http[\"%s\"]: %s", lua_tostring(L, -2), fault);
            if (!lua_isfunction(L, -1))
                luaL_error(L, "app.http[\"%s\"] is a %s; it has to be a function",
                           lua_tostring(L, -2), luaL_typename(L, -1));
            if (++count > ROUTES_MAX)
                luaL_error(L, "app.http has more than %d routes", ROUTES_MAX);
            append(L, list, key);
            append(L, list, bytes_of("\n"));
        }
    }
    lua_pop(L, 1);
    if (world_routes(&h->world, buf_bytes(list)) != WORLD_OK)
        luaL_error(L, "not enough memory");
}

/* --- requests ------------------------------------------------------------ */

struct asked *route_begin(struct host *h, const struct mail *m, struct run *r)
{
    static const struct http_limits any = {SIZE_MAX, HTTP_FIELDS_MAX};
    struct bytes text = mail_bytes(m);
    struct http_head head;
    struct asked *a = calloc(1, sizeof *a);
    if (!a || http_head_parse((struct bytes){text.at, m->open.head_len}, &any, &head) ||
        map_put(&h->asked, m->id, a) < 0) {
        free(a);
        (void)stage(h, m->id, 503, without_nul(busy, sizeof busy));
        world_commit(&h->world);
        return NULL;
    }
    struct bytes method =
        bytes_equal(head.method, bytes_of("HEAD")) ? bytes_of("GET") : head.method;
    a->id = m->id;
    snprintf(a->route, sizeof a->route, "%.*s %.*s", (int)method.len,
             (const char *)method.at, (int)head.path.len, (const char *)head.path.at);
    *r = (struct run){.kind = RUN_REQUEST,
                      .asked = a,
                      .data = text,
                      .head_len = m->open.head_len,
                      .subject_len = m->open.subject_len,
                      .from = &m->open.addr,
                      .secure = m->open.secure};
    return a;
}

void route_end(struct host *h, struct asked *a)
{
    a->task = NULL;
    if (a->owed)
        return;
    map_take(&h->asked, a->id);
    free(a);
}

bool route_push(lua_State *L, struct run *r)
{
    app_push(L, "http", r->asked->route);
    if (!lua_isfunction(L, -1)) {
        lua_pop(L, 1);
        (void)stage(host_of(L), r->asked->id, 404,
                    without_nul(not_found, sizeof not_found));
        return false;
    }
    struct bytes rest = bytes_skip(r->data, r->head_len);
    request_push(L, &(struct request_parts){.head = {r->data.at, r->head_len},
                                            .subject = {rest.at, r->subject_len},
                                            .body = bytes_skip(rest, r->subject_len),
                                            .from = r->from,
                                            .secure = r->secure});
    return true;
}

/* --- responses ----------------------------------------------------------- */

static void check_size(lua_State *L, size_t len)
{
    if (len > ANSWER_FIELDS_MAX)
        luaL_error(L, "a response's headers of %I bytes are too large: %d are the most",
                   (LUAI_UACINT)len, ANSWER_FIELDS_MAX);
}

static struct bytes check_name(lua_State *L)
{
    struct bytes name;
    if (lua_type(L, -2) != LUA_TSTRING)
        luaL_error(L, "the response's headers have a name that is a %s",
                   luaL_typename(L, -2));
    name.at = (const uint8_t *)lua_tolstring(L, -2, &name.len);
    if (!field_name_is_good(name))
        luaL_error(L, "the response's headers have a name that can't be one "
                      "(letters, digits and -)");
    if (field_is_reserved(name, FIELD_OF_RESPONSE))
        luaL_error(L, "the response's header %s is the server's to say",
                   lua_tostring(L, -2));
    return name;
}

static struct bytes check_value(lua_State *L)
{
    struct bytes value;
    if (lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "the response's header %s is a %s; it has to be a string",
                   lua_tostring(L, -2), luaL_typename(L, -1));
    value.at = (const uint8_t *)lua_tolstring(L, -1, &value.len);
    check_size(L, value.len);
    if (!field_value_is_good(value))
        luaL_error(L, "the response's header %s has a control character",
                   lua_tostring(L, -2));
    return value;
}

/* Appends the type, or the other fields as lines, of the headers at `index`, which may be
 * nil, and a NUL. Returns whether there was anything. [-0, +0] */
static bool append_headers(lua_State *L, int index, struct buf *out, bool type)
{
    size_t before = out->len;
    for (lua_pushnil(L); lua_istable(L, index) && lua_next(L, index); lua_pop(L, 1)) {
        struct bytes name = check_name(L), value = check_value(L);
        if (bytes_equal_nocase(name, bytes_of("Content-Type")) != type)
            continue;
        if (type)
            out->len = before; /* in two spellings: one of them */
        if (!type) {
            append(L, out, name);
            append(L, out, bytes_of(": "));
        }
        append(L, out, value);
        if (!type)
            append(L, out, bytes_of("\r\n"));
        check_size(L, out->len); /* one string may stand a thousand times */
    }
    bool any = out->len > before;
    append(L, out, (struct bytes){(const uint8_t *)"", 1});
    return any;
}

static void append_body(lua_State *L, int index, struct buf *out)
{
    struct bytes text = json_text(L, index);
    size_t max = out->len + RESPONSE_MAX;
    if (lua_istable(L, index)) {
        json_encode(L, index, out, max, NULL);
        return;
    }
    if (lua_type(L, index) == LUA_TSTRING)
        text.at = (const uint8_t *)lua_tolstring(L, index, &text.len);
    else if (!text.at && !lua_isnil(L, index))
        luaL_error(L,
                   "a handler of a request returned a %s as body; it has to be a table, "
                   "a chat.object, a string or nil",
                   luaL_typename(L, index));
    if (text.len > RESPONSE_MAX)
        luaL_error(L, "a response's body of %I bytes is too large: %d are the most",
                   (LUAI_UACINT)text.len, RESPONSE_MAX);
    append(L, out, text);
}

void route_respond(lua_State *L, struct asked *a, lua_State *co, int results)
{
    struct host *h = host_of(L);
    struct buf *out = &h->text;
    int status = lua_gettop(L) + 1, body = status + 1, headers = status + 2, is_integer;
    luaL_checkstack(L, results + 8, "results");
    lua_xmove(co, L, results);
    lua_settop(L, headers); /* what is missing is nil */
    lua_Integer code =
        lua_type(L, status) == LUA_TNUMBER ? lua_tointegerx(L, status, &is_integer) : 0;
    if (code < 200 || code > 599)
        luaL_error(L,
                   "a handler of a request returned %s as status; it has to be an "
                   "integer from 200 to 599, then body and headers may follow",
                   lua_type(L, status) == LUA_TNUMBER ? lua_tostring(L, status)
                                                      : luaL_typename(L, status));
    if (!lua_isnil(L, headers) && !lua_istable(L, headers))
        luaL_error(L,
                   "a handler of a request returned a %s as headers; it has to be a "
                   "table of names to values",
                   luaL_typename(L, headers));
    bool is_json = lua_istable(L, body) || json_text(L, body).at;
    out->len = 0;
    if (!append_headers(L, headers, out, true) && is_json) {
        out->len = 0;
        append(L, out, without_nul(JSON_TYPE_FIELD, sizeof JSON_TYPE_FIELD));
    }
    append_headers(L, headers, out, false);
    check_size(L, out->len);
    size_t start = out->len;
    append_body(L, body, out);
    if (out->len > start && !answer_has_body((int)code))
        luaL_error(L, "a response of status %d has no body", (int)code);
    budget_need(L, 0);
    if (world_respond(&h->world, a->id, (int)code, buf_bytes(out)) != WORLD_OK)
        luaL_error(L, "not enough memory");
    lua_settop(L, status - 1);
}

void route_fail(struct host *h, struct asked *a)
{
    a->owed = !stage(h, a->id, 500, without_nul(internal, sizeof internal));
    h->owes |= a->owed;
    world_commit(&h->world);
}

void route_fail_again(struct host *h)
{
    size_t at = 0;
    for (struct asked *a; (a = map_next(&h->asked, &at));) {
        if (!a->owed)
            continue;
        route_fail(h, a);
        if (a->owed)
            return;
        route_end(h, a);
        at = 0; /* the map has changed */
    }
}
