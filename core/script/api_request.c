/* api_request: the type `request`: of an upgrade, or for a handler of app.http; its head
 * is taken apart as fields are asked for. */
#include "script/api_request.h"

#include "script/api.h"
#include "script/api_parts.h"
#include "script/objects.h"

#include "base/hex.h"
#include "lua/hint.h"
#include "wire/http.h"

#include <ctype.h>
#include <stdlib.h>

#define REQUEST_TYPE "charlua.request"

enum { HEAD_NS = 4 }; /* a byte of the head, parsed and copied */

/* Its user values. */
enum { SUBJECT = 1, BODY, JSON, VALUES = JSON };

struct request_object {
    struct addr from;
    bool secure;
    size_t head_len;
    uint8_t head[];
};

static void push_bytes(lua_State *L, struct bytes b)
{
    lua_pushlstring(L, (const char *)b.at, b.len);
}

void request_push(lua_State *L, const struct request_parts *parts)
{
    struct request_object *r = lua_newuserdatauv(L, sizeof *r + parts->head.len, VALUES);
    r->from = *parts->from;
    r->secure = parts->secure;
    r->head_len = parts->head.len;
    memcpy(r->head, parts->head.at, parts->head.len);
    if (parts->subject.len) {
        push_bytes(L, parts->subject);
        lua_setiuservalue(L, -2, SUBJECT);
    }
    push_bytes(L, parts->body);
    lua_setiuservalue(L, -2, BODY);
    luaL_setmetatable(L, REQUEST_TYPE);
}

static const struct request_object *check(lua_State *L, struct http_head *head)
{
    static const struct http_limits any = {SIZE_MAX, HTTP_FIELDS_MAX};
    const struct request_object *r = object_check(L, 1, REQUEST_TYPE);
    budget_work(L, r->head_len * HEAD_NS);
    if (http_head_parse((struct bytes){r->head, r->head_len}, &any, head) != 0)
        luaL_error(L, "the request can't be read again");
    return r;
}

/* Pushes `b` with %XX, and '+' as a space if `form`, decoded. What is malformed stays.
 * [-0, +1] */
static void push_decoded(lua_State *L, struct bytes b, bool form)
{
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    for (size_t i = 0; i < b.len; i++) {
        int byte = b.at[i] == '%' && i + 2 < b.len ? hex_byte(b.at + i + 1) : -1;
        if (byte >= 0) {
            luaL_addchar(&out, (char)byte);
            i += 2;
        } else {
            luaL_addchar(&out, form && b.at[i] == '+' ? ' ' : (char)b.at[i]);
        }
    }
    luaL_pushresult(&out);
}

/* Adds the pairs of `text` to the table on top; the first of a name stays. [-0, +0] */
static void add_pairs(lua_State *L, struct bytes text, char separator, bool form)
{
    while (text.len) {
        struct bytes value = bytes_cut(&text, separator);
        struct bytes name = bytes_trim(bytes_cut(&value, '='));
        if (name.len == 0)
            continue;
        push_decoded(L, name, form);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, -3) == LUA_TNIL) {
            lua_pop(L, 1);
            push_decoded(L, bytes_trim(value), form);
            lua_rawset(L, -3);
        } else {
            lua_pop(L, 2);
        }
    }
}

void request_add_field(lua_State *L, struct bytes name, struct bytes value)
{
    luaL_Buffer lower;
    luaL_buffinit(L, &lower);
    for (size_t k = 0; k < name.len; k++)
        luaL_addchar(&lower, (char)tolower(name.at[k]));
    luaL_pushresult(&lower);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) == LUA_TNIL) {
        lua_pop(L, 1);
        push_bytes(L, value);
    } else {
        lua_pushliteral(L, ", ");
        push_bytes(L, value);
        lua_concat(L, 3);
    }
    lua_rawset(L, -3);
}

static void push_headers(lua_State *L, const struct http_head *head)
{
    lua_newtable(L);
    for (size_t i = 0; i < head->field_count; i++)
        request_add_field(L, head->fields[i].name, head->fields[i].value);
}

static void push_cookies(lua_State *L, const struct http_head *head)
{
    lua_newtable(L);
    for (size_t i = 0; i < head->field_count; i++)
        if (bytes_equal_nocase(head->fields[i].name, bytes_of("Cookie")))
            add_pairs(L, head->fields[i].value, ';', false);
}

static void push_protocols(lua_State *L, const struct http_head *head)
{
    lua_Integer n = 0;
    lua_newtable(L);
    for (size_t i = 0; i < head->field_count; i++) {
        if (!bytes_equal_nocase(head->fields[i].name, bytes_of("Sec-WebSocket-Protocol")))
            continue;
        for (struct bytes rest = head->fields[i].value; rest.len;) {
            push_bytes(L, bytes_trim(bytes_cut(&rest, ',')));
            lua_rawseti(L, -2, ++n);
        }
    }
}

static void push_ip(lua_State *L, const struct addr *from)
{
    char ip[ADDR_TEXT_MAX];
    lua_pushstring(L, addr_ip(from, ip));
}

/* The body as JSON, decoded when it is first asked for; nil if it is none. [-0, +1] */
static void push_json(lua_State *L)
{
    if (lua_getiuservalue(L, 1, JSON) != LUA_TNIL)
        return;
    lua_pop(L, 1);
    host_push(L, KEY_DECODE);
    lua_getiuservalue(L, 1, BODY);
    lua_call(L, 1, 1);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, JSON);
}

/* request:has_bearer(secret) -> boolean: it carries `Authorization: Bearer SECRET` */
static int has_bearer(lua_State *L)
{
    struct http_head head;
    struct bytes secret = {0};
    check(L, &head);
    if (!lua_isnoneornil(L, 2))
        secret.at = (const uint8_t *)luaL_checklstring(L, 2, &secret.len);
    lua_pushboolean(L, http_has_bearer(&head, secret));
    return 1;
}

/* request.method, .path, .query, .headers, .cookies, .origin, .protocols, .body, .json,
 * .ip, .secure, .tls (the subject of the client's certificate), and the method */
static int request_index(lua_State *L)
{
    static const char *const fields[] = {
        "method", "path", "query", "headers", "cookies", "origin", "protocols",
        "body",   "json", "ip",    "secure",  "tls",     NULL};
    struct http_head head;
    const struct request_object *r = check(L, &head);
    const char *key = luaL_checkstring(L, 2);
    if (strcmp(key, "tls") == 0) {
        lua_getiuservalue(L, 1, SUBJECT);
    } else if (strcmp(key, "method") == 0) {
        push_bytes(L, head.method);
    } else if (strcmp(key, "body") == 0) {
        lua_getiuservalue(L, 1, BODY);
    } else if (strcmp(key, "json") == 0) {
        push_json(L);
    } else if (strcmp(key, "ip") == 0) {
        push_ip(L, &r->from);
    } else if (strcmp(key, "secure") == 0) {
        lua_pushboolean(L, r->secure);
    } else if (strcmp(key, "path") == 0) {
        push_bytes(L, head.path);
    } else if (strcmp(key, "query") == 0) {
        lua_newtable(L);
        add_pairs(L, head.query, '&', true);
    } else if (strcmp(key, "headers") == 0) {
        push_headers(L, &head);
    } else if (strcmp(key, "cookies") == 0) {
        push_cookies(L, &head);
    } else if (strcmp(key, "protocols") == 0) {
        push_protocols(L, &head);
    } else if (strcmp(key, "origin") == 0) {
        if (!http_find(&head, "Origin"))
            return 0;
        push_bytes(L, http_find(&head, "Origin")->value);
    } else {
        lua_pushvalue(L, 2);
        if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL)
            return hint_raise(L, "a request", 2, lua_upvalueindex(1), fields);
    }
    return 1;
}

void request_register(lua_State *L)
{
    static const luaL_Reg methods[] = {{"has_bearer", has_bearer}, {NULL, NULL}};
    api_new_type(L, REQUEST_TYPE,
                 "a request can't be sent: send what you need of it, like request.path",
                 methods, request_index, NULL);
}
