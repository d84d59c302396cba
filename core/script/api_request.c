/* api_request: the type `request`: the head of the upgrade request, taken apart as its
 * fields are asked for. */
#include "script/inside.h"

#include "script/hint.h"
#include "wire/http.h"

#include <ctype.h>
#include <stdlib.h>
#include <lauxlib.h>

#define REQUEST_TYPE "charlua.request"

void request_push(lua_State *L, struct bytes head, struct bytes subject)
{
    uint8_t *at = lua_newuserdatauv(L, head.len ? head.len : 1, 1);
    memcpy(at, head.at, head.len);
    if (subject.len) {
        lua_pushlstring(L, (const char *)subject.at, subject.len);
        lua_setiuservalue(L, -2, 1);
    }
    luaL_setmetatable(L, REQUEST_TYPE);
}

static void push_bytes(lua_State *L, struct bytes b)
{
    lua_pushlstring(L, (const char *)b.at, b.len);
}

/* Pushes `b` with %XX, and '+' as a space if `form`, decoded. What is malformed stays.
 * [-0, +1] */
static void push_decoded(lua_State *L, struct bytes b, bool form)
{
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    for (size_t i = 0; i < b.len; i++) {
        char hex[3] = {0};
        if (b.at[i] == '%' && i + 2 < b.len && isxdigit(b.at[i + 1]) &&
            isxdigit(b.at[i + 2])) {
            memcpy(hex, b.at + i + 1, 2);
            luaL_addchar(&out, (char)strtol(hex, NULL, 16));
            i += 2;
        } else {
            luaL_addchar(&out, form && b.at[i] == '+' ? ' ' : (char)b.at[i]);
        }
    }
    luaL_pushresult(&out);
}

/* Cuts the part before `separator` off *rest. */
static struct bytes cut(struct bytes *rest, uint8_t separator)
{
    const uint8_t *end = rest->len ? memchr(rest->at, separator, rest->len) : NULL;
    struct bytes part = {rest->at, end ? (size_t)(end - rest->at) : rest->len};
    *rest = end ? bytes_skip(*rest, part.len + 1) : (struct bytes){0};
    return part;
}

/* Adds the pairs of `text` to the table on top; the first of a name stays. [-0, +0] */
static void add_pairs(lua_State *L, struct bytes text, uint8_t separator, bool form)
{
    while (text.len) {
        struct bytes value = cut(&text, separator);
        struct bytes name = bytes_trim(cut(&value, '='));
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

/* Names in lower case; the values of a repeated field joined with ", " (RFC 9110 5.3). */
static void push_headers(lua_State *L, const struct http_head *head)
{
    lua_newtable(L);
    for (size_t i = 0; i < head->field_count; i++) {
        luaL_Buffer name;
        luaL_buffinit(L, &name);
        for (size_t k = 0; k < head->fields[i].name.len; k++)
            luaL_addchar(&name, (char)tolower(head->fields[i].name.at[k]));
        luaL_pushresult(&name);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, -3) == LUA_TNIL) {
            lua_pop(L, 1);
            push_bytes(L, head->fields[i].value);
        } else {
            lua_pushliteral(L, ", ");
            push_bytes(L, head->fields[i].value);
            lua_concat(L, 3);
        }
        lua_rawset(L, -3);
    }
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
            push_bytes(L, bytes_trim(cut(&rest, ',')));
            lua_rawseti(L, -2, ++n);
        }
    }
}

/* request.path, .tls (the subject of the client's certificate), .query, .headers,
 * .cookies, .origin, .protocols */
static int request_index(lua_State *L)
{
    static const char *const fields[] = {"path",   "query",     "headers", "cookies",
                                         "origin", "protocols", "tls",     NULL};
    static const struct http_limits any = {SIZE_MAX, HTTP_FIELDS_MAX};
    struct bytes text = {luaL_checkudata(L, 1, REQUEST_TYPE), lua_rawlen(L, 1)};
    const char *key = luaL_checkstring(L, 2);
    struct http_head head;
    if (http_head_parse(text, &any, &head) != 0)
        return luaL_error(L, "the request can't be read again");
    if (strcmp(key, "tls") == 0) {
        lua_getiuservalue(L, 1, 1);
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
    } else if (strcmp(key, "origin") != 0) {
        return hint_raise(L, "a request", 2, lua_upvalueindex(1), fields);
    } else if (http_find(&head, "Origin")) {
        push_bytes(L, http_find(&head, "Origin")->value);
    } else {
        lua_pushnil(L);
    }
    return 1;
}

void request_register(lua_State *L)
{
    static const luaL_Reg methods[] = {{NULL, NULL}};
    host_new_type(L, REQUEST_TYPE, methods, request_index, NULL);
}
