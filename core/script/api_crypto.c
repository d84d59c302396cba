/* api_crypto: chat.crypto: digests, random tokens, and JSON Web Tokens (RFC 7519)
 * verified. libcrypto calculates, wire/jws knows the signatures. Longer than other files:
 * a token is verified in many small steps, and each digest says what it costs. */
#include "script/api.h"
#include "script/api_parts.h"

#include "base/hex.h"
#include "lua/sandbox.h"
#include "wire/base64url.h"
#include "wire/jws.h"
#include "wire/utf8.h"

#include <math.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#define KEY_TYPE "charlua.key"

enum {
    DIGEST_BYTES = 32,
    TOKEN_BYTES_MAX = 256, /* of randomness; so many come without an interruption */
    KEYS_MAX = 16,         /* parsed ones that are kept */
    PUBLIC_NS = 100000,    /* to parse a public key, and to verify with one */
    DIGEST_NS = 2000,      /* one of nothing */
    DIGEST_BYTE_NS = 4,
    TEXT_NS = 3,   /* a byte that is encoded, decoded or compared */
    TOKEN_NS = 10, /* a byte of a token, in all that is done to it */
};

static struct bytes check_bytes(lua_State *L, int index)
{
    size_t len;
    const char *at = luaL_checklstring(L, index, &len);
    return (struct bytes){(const uint8_t *)at, len};
}

/* The same, for what is done to each byte of it. */
static struct bytes check_text(lua_State *L, int index)
{
    struct bytes s = check_bytes(L, index);
    budget_work(L, s.len * TEXT_NS);
    return s;
}

/* Pushes `bytes` as base64url. [-0, +1] */
static int push_base64url(lua_State *L, struct bytes bytes)
{
    luaL_Buffer out;
    size_t len = base64url_length(bytes.len);
    base64url_encode(bytes, luaL_buffinitsize(L, &out, len));
    luaL_pushresultsize(&out, len);
    return 1;
}

/* nil and a reason. [-0, +2] */
static int refuse(lua_State *L, const char *why)
{
    lua_pushnil(L);
    lua_pushstring(L, why);
    return 2;
}

/* chat.crypto.token([bytes=16]) -> random bytes as base64url */
static int token(lua_State *L)
{
    uint8_t bytes[TOKEN_BYTES_MAX];
    lua_Integer n = luaL_optinteger(L, 1, 16);
    luaL_argcheck(L, n >= 1 && n <= TOKEN_BYTES_MAX, 1, "a token has 1 to 256 bytes");
    budget_work(L, DIGEST_NS);
    if (host_of(L)->setup.seed)
        sandbox_chance(L, bytes, (size_t)n);
    else if (getrandom(bytes, (size_t)n, 0) != n)
        return luaL_error(L, "the system has no random numbers");
    return push_base64url(L, (struct bytes){bytes, (size_t)n});
}

/* chat.crypto.equal(a, b) -> whether they are, in a time that their length alone tells */
static int equal(lua_State *L)
{
    struct bytes a = check_bytes(L, 1), b = check_bytes(L, 2);
    budget_work(L, a.len * TEXT_NS);
    lua_pushboolean(L, a.len == b.len && CRYPTO_memcmp(a.at, b.at, a.len) == 0);
    return 1;
}

/* chat.crypto.sha256(s) -> 32 bytes (FIPS 180-4) */
static int sha256(lua_State *L)
{
    uint8_t digest[DIGEST_BYTES];
    struct bytes s = check_bytes(L, 1);
    budget_work(L, DIGEST_NS + s.len * DIGEST_BYTE_NS);
    if (EVP_Digest(s.at, s.len, digest, NULL, EVP_sha256(), NULL) != 1)
        return luaL_error(L, "not enough memory");
    lua_pushlstring(L, (const char *)digest, sizeof digest);
    return 1;
}

/* chat.crypto.hmac_sha256(key, s) -> 32 bytes (RFC 2104) */
static int hmac_sha256(lua_State *L)
{
    uint8_t mac[DIGEST_BYTES];
    struct bytes key = check_bytes(L, 1), s = check_bytes(L, 2);
    luaL_argcheck(L, key.len <= INT32_MAX, 1, "too long");
    budget_work(L, 2 * DIGEST_NS + (key.len + s.len) * DIGEST_BYTE_NS);
    if (!HMAC(EVP_sha256(), key.at, (int)key.len, s.at, s.len, mac, NULL))
        return luaL_error(L, "not enough memory");
    lua_pushlstring(L, (const char *)mac, sizeof mac);
    return 1;
}

/* chat.crypto.hex(s) -> two lower-case digits a byte */
static int hex(lua_State *L)
{
    luaL_Buffer out;
    struct bytes s = check_text(L, 1);
    char *to = luaL_buffinitsize(L, &out, s.len * 2);
    for (size_t i = 0; i < s.len; i++)
        hex_write(to + i * 2, s.at[i]);
    luaL_pushresultsize(&out, s.len * 2);
    return 1;
}

/* chat.crypto.base64url_encode(s) -> text without padding */
static int encode(lua_State *L)
{
    return push_base64url(L, check_text(L, 1));
}

/* chat.crypto.base64url_decode(s) -> bytes | nil, "malformed" */
static int decode(lua_State *L)
{
    luaL_Buffer out;
    struct bytes s = check_text(L, 1);
    char *to = luaL_buffinitsize(L, &out, s.len / 4 * 3 + 2);
    ptrdiff_t n = base64url_decode(s, (uint8_t *)to);
    if (n < 0)
        return refuse(L, "malformed");
    luaL_pushresultsize(&out, (size_t)n);
    return 1;
}

/* --- tokens -------------------------------------------------------------- */

/* What the script asks of a token. */
struct terms {
    enum jws_alg alg;
    struct bytes key;
    struct bytes aud, iss; /* .at NULL: not asked */
    double leeway, now;
};

/* A parsed key; a full userdata. */
struct held_key {
    struct evp_pkey_st *key;
    enum jws_alg alg;
};

static int free_key(lua_State *L)
{
    struct held_key *held = lua_touserdata(L, 1);
    jws_key_free(held->key);
    held->key = NULL;
    return 0;
}

/* Empties the table at `keys` when it is full: who has so many keys changes them. */
static void make_room(lua_State *L, int keys)
{
    int count = 0;
    for (lua_pushnil(L); lua_next(L, keys); lua_pop(L, 1))
        count++;
    if (count < KEYS_MAX)
        return;
    for (lua_pushnil(L); lua_next(L, keys); lua_pop(L, 1)) {
        lua_pushvalue(L, -2);
        lua_pushnil(L);
        lua_rawset(L, keys);
    }
}

/* The key that `t` names: parsing one costs more than a signature, so the calling
 * function's upvalue 1 keeps some by their text. What holds it stays on the stack. Raises
 * for a key that is unfit. [-0, +1|2] */
static struct evp_pkey_st *push_key(lua_State *L, const struct terms *t)
{
    const char *why = "";
    int keys = lua_upvalueindex(1);
    budget_work(L, t->key.len * TEXT_NS);
    lua_pushlstring(L, (const char *)t->key.at, t->key.len);
    lua_pushvalue(L, -1);
    lua_rawget(L, keys);
    struct held_key *held = lua_touserdata(L, -1);
    if (held && held->alg == t->alg)
        return held->key;
    lua_pop(L, 1);
    held = lua_newuserdatauv(L, sizeof *held, 0);
    *held = (struct held_key){.alg = t->alg};
    luaL_setmetatable(L, KEY_TYPE);
    budget_work(L, PUBLIC_NS + t->key.len * TOKEN_NS);
    held->key = jws_key_new(t->alg, t->key, &why);
    if (!held->key)
        luaL_error(L, "chat.crypto.jwt: the key is unusable: %s", why);
    make_room(L, keys);
    lua_pushvalue(L, -1);
    lua_insert(L, -3);
    lua_rawset(L, keys);
    return held->key;
}

/* The string in field `name` of the options at 2; {NULL, 0} if there is none. It stays on
 * the stack: a metatable may have made it up. [-0, +1] */
static struct bytes text_option(lua_State *L, const char *name)
{
    size_t len = 0;
    int type = lua_getfield(L, 2, name);
    if (type != LUA_TNIL && type != LUA_TSTRING)
        luaL_error(L, "chat.crypto.jwt: %s is a %s; it has to be a string", name,
                   luaL_typename(L, -1));
    const char *at = lua_tolstring(L, -1, &len);
    return (struct bytes){(const uint8_t *)at, len};
}

static double number_option(lua_State *L, const char *name, double preset)
{
    int type = lua_getfield(L, 2, name);
    if (type != LUA_TNIL && type != LUA_TNUMBER)
        luaL_error(L, "chat.crypto.jwt: %s is a %s; it has to be a number", name,
                   luaL_typename(L, -1));
    double value = type == LUA_TNIL ? preset : lua_tonumber(L, -1);
    lua_pop(L, 1);
    return value;
}

/* Reads the options at 2. Raises for what no token could be verified by. [-0, +4] */
static void read_terms(lua_State *L, struct terms *t)
{
    static const char *const names[] = {"alg",    "key", "aud", "iss",
                                        "leeway", "now", NULL};
    luaL_checktype(L, 2, LUA_TTABLE);
    api_check_fields(L, 2, "chat.crypto.jwt", names);
    struct bytes alg = text_option(L, "alg");
    t->alg = JWS_HS256;
    while (jws_alg_names[t->alg] &&
           !(alg.at && bytes_equal(alg, bytes_of(jws_alg_names[t->alg]))))
        t->alg++;
    if (t->alg == JWS_ALGS)
        luaL_error(L, "chat.crypto.jwt: say alg: \"HS256\", \"RS256\", \"ES256\" or "
                      "\"EdDSA\", the one that your tokens are signed with");
    t->key = text_option(L, "key");
    if (!t->key.at)
        luaL_error(L,
                   "chat.crypto.jwt: say key: a secret for HS256, else a public key or "
                   "certificate in PEM");
    if (t->alg == JWS_HS256 && t->key.len < JWS_SECRET_MIN)
        luaL_error(L,
                   "chat.crypto.jwt: a secret of %d bytes is too short for HS256: at "
                   "least %d (RFC 7518 3.2)",
                   (int)t->key.len, JWS_SECRET_MIN);
    t->aud = text_option(L, "aud");
    t->iss = text_option(L, "iss");
    t->leeway = number_option(L, "leeway", 0);
    t->now = number_option(L, "now", host_of(L)->wall);
    if (!(t->leeway >= 0) || isnan(t->now))
        luaL_error(L, "chat.crypto.jwt: leeway and now are seconds, a leeway 0 or more");
}

/* Pushes the JSON object that `text` is. False: it is none, and nothing is pushed.
 * [-0, +0|1] */
static bool push_object(lua_State *L, struct bytes text)
{
    size_t at = 0;
    while (at < text.len && strchr(" \t\r\n", text.at[at]) && text.at[at])
        at++;
    if (at == text.len || text.at[at] != '{' || !utf8_is_valid(text))
        return false;
    host_push(L, KEY_DECODE);
    lua_pushlstring(L, (const char *)text.at, text.len);
    lua_call(L, 1, 1);
    if (lua_istable(L, -1))
        return true;
    lua_pop(L, 1);
    return false;
}

/* Whether field `name` of the table at `index` is the string `wanted`. */
static bool has_text(lua_State *L, int index, const char *name, struct bytes wanted)
{
    size_t len = 0;
    const char *at =
        lua_getfield(L, index, name) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : NULL;
    bool equal = at && bytes_equal((struct bytes){(const uint8_t *)at, len}, wanted);
    lua_pop(L, 1);
    return equal;
}

static bool has_field(lua_State *L, int index, const char *name)
{
    bool has = lua_getfield(L, index, name) != LUA_TNIL;
    lua_pop(L, 1);
    return has;
}

/* RFC 7519 4.1.3: a token for somebody is not for who does not say who he is. */
static bool is_for(lua_State *L, int claims, struct bytes audience)
{
    if (!has_field(L, claims, "aud"))
        return !audience.at;
    if (!audience.at || has_text(L, claims, "aud", audience))
        return audience.at != NULL;
    bool found = false;
    if (lua_getfield(L, claims, "aud") == LUA_TTABLE) {
        lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
        for (lua_Integer i = 1; i <= n && !found; i++) {
            size_t len;
            if (lua_rawgeti(L, -1, i) == LUA_TSTRING) {
                const char *at = lua_tolstring(L, -1, &len);
                found = bytes_equal((struct bytes){(const uint8_t *)at, len}, audience);
            }
            lua_pop(L, 1);
        }
    }
    lua_pop(L, 1);
    return found;
}

/* The date in claim `name`; `preset` if there is none, NAN if it is no number. */
static double date_claim(lua_State *L, int claims, const char *name, double preset)
{
    int type = lua_getfield(L, claims, name);
    double date = type == LUA_TNIL      ? preset
                  : type == LUA_TNUMBER ? lua_tonumber(L, -1)
                                        : NAN;
    lua_pop(L, 1);
    return date;
}

/* Why the claims at `index` (RFC 7519 4.1) are not what is asked for, or NULL. */
static const char *refuse_claims(lua_State *L, int claims, const struct terms *t)
{
    double exp = date_claim(L, claims, "exp", INFINITY);
    double nbf = date_claim(L, claims, "nbf", -INFINITY);
    if (isnan(exp) || isnan(nbf))
        return "malformed";
    if (t->now >= exp + t->leeway)
        return "expired";
    if (t->now < nbf - t->leeway)
        return "not yet valid";
    if (t->iss.at && !has_text(L, claims, "iss", t->iss))
        return "wrong issuer";
    return is_for(L, claims, t->aud) ? NULL : "wrong audience";
}

/* chat.crypto.jwt(token, {alg=, key=, aud=, iss=, leeway=, now=}) -> claims | nil, reason
 */
static int jwt(lua_State *L)
{
    struct terms t;
    struct jws j;
    size_t len;
    lua_settop(L, 2);
    read_terms(L, &t);
    struct evp_pkey_st *key = t.alg == JWS_HS256 ? NULL : push_key(L, &t);
    if (lua_type(L, 1) != LUA_TSTRING)
        return refuse(L, "malformed");
    const char *text = lua_tolstring(L, 1, &len);
    if (len > JWS_TOKEN_MAX)
        return refuse(L, "too long");
    budget_work(L, len * TOKEN_NS);
    if (jws_parse((struct bytes){(const uint8_t *)text, len}, &j) < 0 ||
        !push_object(L, j.header))
        return refuse(L, "malformed");
    int header = lua_gettop(L);
    if (!has_text(L, header, "alg", bytes_of(jws_alg_names[t.alg])))
        return refuse(L, "wrong algorithm");
    if (has_field(L, header, "crit"))
        return refuse(L, "critical header");
    budget_work(L, key ? PUBLIC_NS : 2 * DIGEST_NS + t.key.len * DIGEST_BYTE_NS);
    if (!(key ? jws_has_key(&j, t.alg, key) : jws_has_secret(&j, t.key)))
        return refuse(L, "bad signature");
    if (!push_object(L, j.payload))
        return refuse(L, "malformed");
    const char *why = refuse_claims(L, lua_gettop(L), &t);
    return why ? refuse(L, why) : 1;
}

void crypto_add(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"token", token},
        {"equal", equal},
        {"sha256", sha256},
        {"hmac_sha256", hmac_sha256},
        {"hex", hex},
        {"base64url_encode", encode},
        {"base64url_decode", decode},
        {NULL, NULL},
    };
    if (luaL_newmetatable(L, KEY_TYPE)) {
        lua_pushcfunction(L, free_key);
        lua_setfield(L, -2, "__gc");
    }
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    lua_newtable(L);
    lua_pushcclosure(L, jwt, 1);
    lua_setfield(L, -2, "jwt");
    lua_setfield(L, -2, "crypto");
}
