/* api_http: chat.http: a request to a service as mail, and the answer as a table. Who
 * carries it there and back is setup.services. */
#include "script/api.h"
#include "script/api_parts.h"
#include "script/api_request.h"

#include "lua/json.h"
#include "script/task.h"
#include "wire/field.h"
#include "wire/origin.h"

#include <lauxlib.h>
#include <stdio.h>

enum {
    FIELD_NAME_MAX = 128,
    HEAD_MAX = 64 * 1024, /* bytes of a request's method, URL and fields */
};

static const double TIMEOUT_SECONDS = 5, TIMEOUT_MIN = 0.01, TIMEOUT_MAX = 300;

/* What chat.http was asked for, beside what h->text holds. */
struct wanted {
    struct mail mail;
    double seconds;
    bool is_typed; /* the script has said which Content-Type */
};

/* Appends to the head, in which one long string may stand a thousand times. */
static void append(lua_State *L, struct bytes bytes)
{
    if (bytes.len > HEAD_MAX || host_of(L)->text.len + bytes.len > HEAD_MAX)
        luaL_error(L, "chat.http: url and headers are too large: %d bytes are the most",
                   HEAD_MAX);
    budget_work(L, bytes.len);
    if (buf_append(&host_of(L)->text, bytes) < 0)
        luaL_error(L, "not enough memory");
}

/* Appends `text` and a NUL, which it has none of itself. */
static void append_line(lua_State *L, const char *text)
{
    append(L, (struct bytes){(const uint8_t *)text, strlen(text) + 1});
}

/* The string at `index`, "what" for the error. */
static struct bytes check_text(lua_State *L, int index, const char *what)
{
    size_t len;
    if (lua_type(L, index) != LUA_TSTRING)
        luaL_error(L, "chat.http: %s is a %s; it has to be a string", what,
                   luaL_typename(L, index));
    const char *at = lua_tolstring(L, index, &len);
    return (struct bytes){(const uint8_t *)at, len};
}

/* --- the request: each of these looks at one field of the table at 1 ------- */

/* Raw: a metamethod could use h->text, in which the request grows. [-0, +1] */
static int get(lua_State *L, const char *name)
{
    lua_pushstring(L, name);
    return lua_rawget(L, 1);
}

bool api_may_ask(const struct host_setup *setup, const char *origin)
{
    char allowed[ORIGIN_MAX];
    for (size_t i = 0; i < setup->http_allow_count; i++)
        if (origin_of_url(bytes_of(setup->http_allow[i]), allowed) > 0 &&
            strcmp(origin, allowed) == 0)
            return true;
    return false;
}

/* Appends the URL. The errors tell no more than its origin: the rest may be secret. */
static void add_url(lua_State *L)
{
    char origin[ORIGIN_MAX];
    const struct host_setup *setup = &host_of(L)->setup;
    get(L, "url");
    struct bytes url = check_text(L, -1, "url");
    if (origin_of_url(url, origin) < 0)
        luaL_error(L,
                   "chat.http: the url has to be http://host/... or https://host/..., "
                   "without a user in it, other characters as %%XX, at most %d bytes",
                   ORIGIN_URL_MAX);
    if (!api_may_ask(setup, origin) || !setup->services)
        luaL_error(L, "chat.http: %s is not allowed: start with --http-allow %s", origin,
                   origin);
    append_line(L, (const char *)url.at);
    lua_pop(L, 1);
}

/* Appends the method. Returns whether it goes with a body, even with an empty one. */
static bool add_method(lua_State *L)
{
    static const char *const methods[] = {"GET",   "HEAD", "OPTIONS", "DELETE",
                                          "PATCH", "POST", "PUT",     NULL};
    int i = 0;
    struct bytes method =
        get(L, "method") == LUA_TNIL ? bytes_of("GET") : check_text(L, -1, "method");
    while (methods[i] && !bytes_equal(bytes_of(methods[i]), method))
        i++;
    if (!methods[i])
        luaL_error(L,
                   "chat.http: method is GET, HEAD, OPTIONS, DELETE, PATCH, POST or PUT");
    append_line(L, methods[i]);
    lua_pop(L, 1);
    return i >= 4;
}

static void check_field(lua_State *L, struct bytes name, struct bytes value)
{
    if (name.len == 0 || name.len > FIELD_NAME_MAX)
        luaL_error(L, "chat.http: a header's name has 1 to %d bytes", FIELD_NAME_MAX);
    if (!field_name_is_good(name))
        luaL_error(L, "chat.http: a header's name is of letters, digits and -_.");
    if (field_is_reserved(name, FIELD_OF_REQUEST))
        luaL_error(L, "chat.http: the header %s is not the script's to set",
                   (const char *)name.at);
    if (value.len > HEAD_MAX)
        luaL_error(L, "chat.http: the header %s is too large: %d bytes are the most",
                   (const char *)name.at, HEAD_MAX);
    if (bytes_trim(value).len == 0)
        luaL_error(L, "chat.http: the header %s is empty: leave it out",
                   (const char *)name.at);
    if (!field_value_is_good(value))
        luaL_error(L, "chat.http: the header %s has a control character in it",
                   (const char *)name.at);
}

static void add_headers(lua_State *L, struct wanted *w)
{
    int type = get(L, "headers");
    if (type != LUA_TNIL && type != LUA_TTABLE)
        luaL_error(L, "chat.http: headers is a %s; it has to be a table",
                   luaL_typename(L, -1));
    for (lua_pushnil(L); type == LUA_TTABLE && lua_next(L, -2); lua_pop(L, 1)) {
        struct bytes name = check_text(L, -2, "a header's name");
        struct bytes value = check_text(L, -1, "a header's value");
        check_field(L, name, value);
        w->is_typed |= bytes_equal_nocase(name, bytes_of("Content-Type"));
        append(L, name);
        append(L, bytes_of(": "));
        append_line(L, (const char *)value.at);
    }
    lua_settop(L, 1);
}

/* Appends a body that is text. */
static void append_text(lua_State *L, struct bytes text)
{
    struct host *h = host_of(L);
    if (text.len > h->setup.http_max)
        luaL_error(L,
                   "chat.http: the body is too large: %I bytes are the most (--http-max)",
                   (LUAI_UACINT)h->setup.http_max);
    budget_work(L, text.len / 4);
    if (buf_append(&h->text, text) < 0)
        luaL_error(L, "not enough memory");
}

/* Appends the body: a string as it is, a table as JSON. */
static void add_body(lua_State *L, struct wanted *w, bool goes_with_body)
{
    struct host *h = host_of(L);
    int type = get(L, "body");
    bool is_json = type == LUA_TTABLE || (type == LUA_TUSERDATA && json_text(L, -1).at);
    if (type != LUA_TNIL && !goes_with_body)
        luaL_error(L, "chat.http: only PATCH, POST and PUT have a body: say method");
    if (is_json && !w->is_typed)
        append_line(L, "Content-Type: application/json");
    w->mail.fetch.head_len = (uint32_t)h->text.len;
    w->mail.fetch.has_body = goes_with_body;
    if (is_json)
        json_encode(L, -1, &h->text, h->text.len + h->setup.http_max, "--http-max");
    else if (type != LUA_TNIL)
        append_text(L, check_text(L, -1, "a body that is no table"));
    lua_pop(L, 1);
}

static void read_timeout(lua_State *L, struct wanted *w)
{
    int type = get(L, "timeout");
    w->seconds = type == LUA_TNIL ? TIMEOUT_SECONDS : lua_tonumber(L, -1);
    if (!(w->seconds >= TIMEOUT_MIN && w->seconds <= TIMEOUT_MAX) ||
        (type != LUA_TNIL && type != LUA_TNUMBER))
        luaL_error(L, "chat.http: timeout is seconds, 0.01 to 300");
    w->mail.fetch.time_ms = (uint32_t)(w->seconds * 1000);
    lua_pop(L, 1);
}

/* --- the reply ----------------------------------------------------------- */

static void push_fields(lua_State *L, struct bytes head)
{
    lua_newtable(L);
    while (head.len) {
        struct bytes value = bytes_cut(&head, '\n');
        if (value.len && value.at[value.len - 1] == '\r')
            value.len--;
        struct bytes line = value, name = bytes_cut(&value, ':');
        if (name.len < line.len)
            request_add_field(L, name, bytes_trim(value));
    }
}

/* Whether the media type is JSON or something in JSON (RFC 6839 3.1). */
static bool is_json(struct bytes type)
{
    type = bytes_trim(bytes_until(type, ';'));
    return bytes_equal_nocase(type, bytes_of("application/json")) ||
           (type.len > 5 &&
            bytes_equal_nocase(bytes_skip(type, type.len - 5), bytes_of("+json")));
}

static int push_reply(lua_State *L, const struct mail *m)
{
    struct bytes all = mail_bytes(m);
    if (m->fetched.status == 0) {
        lua_pushnil(L);
        lua_pushlstring(L, (const char *)all.at, all.len);
        return 2;
    }
    struct bytes body = bytes_skip(all, m->fetched.head_len);
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, m->fetched.status);
    lua_setfield(L, -2, "status");
    lua_pushlstring(L, (const char *)body.at, body.len);
    lua_setfield(L, -2, "body");
    push_fields(L, (struct bytes){all.at, m->fetched.head_len});
    size_t len = 0;
    lua_getfield(L, -1, "content-type");
    const char *type = lua_tolstring(L, -1, &len);
    bool decode = type && is_json((struct bytes){(const uint8_t *)type, len});
    lua_pop(L, 1);
    lua_setfield(L, -2, "headers");
    if (decode) {
        host_push(L, KEY_DECODE);
        lua_getfield(L, -2, "body");
        lua_call(L, 1, 1);
        lua_setfield(L, -2, "json");
    }
    return 1;
}

/* chat.http{url=, method=, headers=, body=, timeout=} -> response | nil, reason */
static int http(lua_State *L)
{
    static const char *const names[] = {"url",  "method",  "headers",
                                        "body", "timeout", NULL};
    struct host *h = host_of(L);
    struct wanted w = {.mail = {.kind = MAIL_FETCH}};
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    api_check_fields(L, 1, "chat.http", names);
    if (!task_may_wait(L, "chat.http"))
        return 2;
    h->text.len = 0;
    bool goes_with_body = add_method(L);
    add_url(L);
    add_headers(L, &w);
    add_body(L, &w, goes_with_body);
    read_timeout(L, &w);
    if (mailbox_is_full(h->setup.services)) {
        lua_pushnil(L);
        lua_pushliteral(L, "too many requests");
        return 2;
    }
    w.mail.id = task_begin_wait(L, w.seconds, push_reply)->id;
    if (batch_add(&h->fetches, &w.mail, buf_bytes(&h->text)) < 0) {
        task_end_wait(h, h->current, false);
        return luaL_error(L, "not enough memory");
    }
    return lua_yield(L, 0);
}

void http_add(lua_State *L)
{
    lua_pushcfunction(L, http);
    lua_setfield(L, -2, "http");
}
