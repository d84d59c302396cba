/* pattern: the matcher of Lua 5.4's lstrlib.c, which counts its steps: the hook of the
 * budget does not fire in C code. Same semantics, same messages. Longer than other files
 * so that all of the matcher stays together, as it is there.
 *
 * Derived from Lua, whose licence is in LICENSE: Copyright (C) 1994-2022 Lua.org,
 * PUC-Rio. */
#include "lua/pattern.h"

#include "base/bytes.h"
#include "lua/vm.h"

#include <ctype.h>
#include <lauxlib.h>
#include <string.h>

enum {
    CAPTURES_MAX = 32,
    DEPTH_MAX = 200, /* of recursion */
    STEPS_MAX = 10000,
    STEP_NS = 3,
    FIND_NS = 8, /* eight bytes of a plain search, at its slowest */
    CAPTURE_OPEN = -1,
    CAPTURE_POSITION = -2,
};

#define ESCAPE   '%'
#define SPECIALS "^$*+?.([%-"

struct capture {
    const char *at;
    ptrdiff_t len; /* or CAPTURE_OPEN, CAPTURE_POSITION */
};

struct matcher {
    const char *text, *text_end;
    const char *pattern_end;
    lua_State *L;
    size_t steps; /* since they were last accounted for */
    int depth;    /* of recursion that is left, against an overflow of the C stack */
    int level;    /* captures so far, finished or not */
    struct capture captures[CAPTURES_MAX];
};

static const char *match(struct matcher *m, const char *s, const char *p);

/* The budget hears of the steps. Raises when it is spent. */
static void account(struct matcher *m)
{
    size_t steps = m->steps;
    m->steps = 0;
    budget_work(m->L, steps * STEP_NS);
}

static void step(struct matcher *m, size_t n)
{
    m->steps += n;
    if (m->steps >= STEPS_MAX)
        account(m);
}

static int check_capture(struct matcher *m, int l)
{
    l -= '1';
    if (l < 0 || l >= m->level || m->captures[l].len == CAPTURE_OPEN)
        return luaL_error(m->L, "invalid capture index %%%d", l + 1);
    return l;
}

static int capture_to_close(struct matcher *m)
{
    for (int level = m->level - 1; level >= 0; level--)
        if (m->captures[level].len == CAPTURE_OPEN)
            return level;
    return luaL_error(m->L, "invalid pattern capture");
}

/* What follows the single item at `p`: its suffix, if it has one. */
static const char *class_end(struct matcher *m, const char *p)
{
    switch (*p++) {
    case ESCAPE:
        if (p == m->pattern_end)
            luaL_error(m->L, "malformed pattern (ends with '%%')");
        return p + 1;
    case '[':
        if (*p == '^')
            p++;
        do { /* look for a ']' */
            if (p == m->pattern_end)
                luaL_error(m->L, "malformed pattern (missing ']')");
            if (*p++ == ESCAPE && p < m->pattern_end)
                p++; /* skip escapes, like '%]' */
        } while (*p != ']');
        return p + 1;
    default:
        return p;
    }
}

static bool match_class(int c, int class)
{
    bool result;
    switch (tolower(class)) {
    case 'a':
        result = isalpha(c);
        break;
    case 'c':
        result = iscntrl(c);
        break;
    case 'd':
        result = isdigit(c);
        break;
    case 'g':
        result = isgraph(c);
        break;
    case 'l':
        result = islower(c);
        break;
    case 'p':
        result = ispunct(c);
        break;
    case 's':
        result = isspace(c);
        break;
    case 'u':
        result = isupper(c);
        break;
    case 'w':
        result = isalnum(c);
        break;
    case 'x':
        result = isxdigit(c);
        break;
    case 'z': /* deprecated, but there */
        result = c == 0;
        break;
    default:
        return class == c;
    }
    return islower(class) ? result : !result;
}

/* Whether `c` is in the set from the '[' at `p` to the ']' at `end`. */
static bool match_set(int c, const char *p, const char *end)
{
    bool found = true;
    if (p[1] == '^') {
        found = false;
        p++;
    }
    while (++p < end) {
        if (*p == ESCAPE) {
            p++;
            if (match_class(c, (unsigned char)*p))
                return found;
        } else if (p[1] == '-' && p + 2 < end) {
            p += 2;
            if ((unsigned char)p[-2] <= c && c <= (unsigned char)*p)
                return found;
        } else if ((unsigned char)*p == c) {
            return found;
        }
    }
    return !found;
}

/* Whether the character at `s` is one of the single item from `p` to `end`. */
static bool match_single(struct matcher *m, const char *s, const char *p, const char *end)
{
    step(m, (size_t)(end - p));
    if (s >= m->text_end)
        return false;
    int c = (unsigned char)*s;
    switch (*p) {
    case '.':
        return true;
    case ESCAPE:
        return match_class(c, (unsigned char)p[1]);
    case '[':
        return match_set(c, p, end - 1);
    default:
        return (unsigned char)*p == c;
    }
}

/* %bxy; `p` is at x. */
static const char *match_balance(struct matcher *m, const char *s, const char *p)
{
    if (p >= m->pattern_end - 1)
        luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
    if (*s != *p)
        return NULL;
    for (int open = 1; open > 0; step(m, 1)) {
        if (++s >= m->text_end)
            break;
        open += *s == p[1] ? -1 : *s == *p;
    }
    return s < m->text_end ? s + 1 : NULL;
}

static const char *max_expand(struct matcher *m, const char *s, const char *p,
                              const char *end)
{
    ptrdiff_t i = 0;
    while (match_single(m, s + i, p, end))
        i++;
    for (; i >= 0; i--) { /* with one repetition less each time */
        const char *result = match(m, s + i, end + 1);
        if (result)
            return result;
    }
    return NULL;
}

static const char *min_expand(struct matcher *m, const char *s, const char *p,
                              const char *end)
{
    for (;;) {
        const char *result = match(m, s, end + 1);
        if (result)
            return result;
        if (!match_single(m, s, p, end))
            return NULL;
        s++; /* with one repetition more */
    }
}

static const char *start_capture(struct matcher *m, const char *s, const char *p,
                                 ptrdiff_t what)
{
    if (m->level >= CAPTURES_MAX)
        luaL_error(m->L, "too many captures");
    m->captures[m->level++] = (struct capture){s, what};
    const char *result = match(m, s, p);
    if (!result)
        m->level--;
    return result;
}

static const char *end_capture(struct matcher *m, const char *s, const char *p)
{
    struct capture *c = &m->captures[capture_to_close(m)];
    c->len = s - c->at;
    const char *result = match(m, s, p);
    if (!result)
        c->len = CAPTURE_OPEN;
    return result;
}

/* %1 to %9: the same text again. */
static const char *match_capture(struct matcher *m, const char *s, int which)
{
    const struct capture *c = &m->captures[check_capture(m, which)];
    size_t len = (size_t)c->len;
    if ((size_t)(m->text_end - s) < len)
        return NULL;
    step(m, len / 16 + 1);
    return memcmp(c->at, s, len) == 0 ? s + len : NULL;
}

/* %f[set]; *p is at the set, and moves behind it. */
static bool match_frontier(struct matcher *m, const char *s, const char **p)
{
    if (**p != '[')
        luaL_error(m->L, "missing '[' after '%%f' in pattern");
    const char *set = *p, *end = class_end(m, set);
    int previous = s == m->text ? 0 : (unsigned char)s[-1];
    step(m, 2 * (size_t)(end - set));
    *p = end;
    return !match_set(previous, set, end - 1) &&
           match_set((unsigned char)*s, set, end - 1);
}

/* Matches at `s` what the pattern has from `p`. Returns the end of the match, or NULL.
 * Longer, as one switch over what a pattern can hold. */
static const char *match(struct matcher *m, const char *s, const char *p)
{
    if (m->depth-- == 0)
        luaL_error(m->L, "pattern too complex");
    while (s && p != m->pattern_end) {
        const char *end, *rest;
        step(m, 1);
        if (*p == '(') {
            s = p[1] == ')' ? start_capture(m, s, p + 2, CAPTURE_POSITION)
                            : start_capture(m, s, p + 1, CAPTURE_OPEN);
            break;
        }
        if (*p == ')') {
            s = end_capture(m, s, p + 1);
            break;
        }
        if (*p == '$' && p + 1 == m->pattern_end) {
            s = s == m->text_end ? s : NULL;
            break;
        }
        if (*p == ESCAPE && p[1] == 'b') {
            s = match_balance(m, s, p + 2);
            p += 4;
            continue;
        }
        if (*p == ESCAPE && p[1] == 'f') {
            p += 2;
            s = match_frontier(m, s, &p) ? s : NULL;
            continue;
        }
        if (*p == ESCAPE && isdigit((unsigned char)p[1])) {
            s = match_capture(m, s, (unsigned char)p[1]);
            p += 2;
            continue;
        }
        end = class_end(m, p);
        bool once = match_single(m, s, p, end);
        if (!once && (*end == '*' || *end == '?' || *end == '-')) {
            p = end + 1; /* not even once, which will do */
        } else if (!once) {
            s = NULL;
        } else if (*end == '?') {
            if ((rest = match(m, s + 1, end + 1)) != NULL) {
                s = rest;
                break;
            }
            p = end + 1;
        } else if (*end == '*' || *end == '+') {
            s = max_expand(m, *end == '+' ? s + 1 : s, p, end);
            break;
        } else if (*end == '-') {
            s = min_expand(m, s, p, end);
            break;
        } else {
            s++;
            p = end;
        }
    }
    m->depth++;
    return s;
}

/* --- captures ------------------------------------------------------------ */

/* Capture `i`, or the whole match from `s` to `e` when there is none and i is 0. A
 * position is pushed, and CAPTURE_POSITION returned; else its length. */
static ptrdiff_t get_capture(struct matcher *m, int i, const char *s, const char *e,
                             const char **at)
{
    if (i >= m->level) {
        if (i != 0)
            luaL_error(m->L, "invalid capture index %%%d", i + 1);
        *at = s;
        return e - s;
    }
    const struct capture *c = &m->captures[i];
    *at = c->at;
    if (c->len == CAPTURE_OPEN)
        luaL_error(m->L, "unfinished capture");
    else if (c->len == CAPTURE_POSITION)
        lua_pushinteger(m->L, c->at - m->text + 1);
    return c->len;
}

/* [-0, +1] */
static void push_capture(struct matcher *m, int i, const char *s, const char *e)
{
    const char *at;
    ptrdiff_t len = get_capture(m, i, s, e, &at);
    if (len != CAPTURE_POSITION)
        lua_pushlstring(m->L, at, (size_t)len);
}

/* Pushes all captures, or the whole match when there is none and `s` is given. Returns
 * their number. */
static int push_captures(struct matcher *m, const char *s, const char *e)
{
    int n = m->level == 0 && s ? 1 : m->level;
    luaL_checkstack(m->L, n, "too many captures");
    for (int i = 0; i < n; i++)
        push_capture(m, i, s, e);
    return n;
}

/* --- what scripts call --------------------------------------------------- */

static bool has_no_specials(const char *p, size_t len)
{
    size_t at = 0;
    do {
        if (strpbrk(p + at, SPECIALS))
            return false;
        at += strlen(p + at) + 1; /* there may be more behind a \0 */
    } while (at <= len);
    return true;
}

static void prepare(struct matcher *m, lua_State *L, struct bytes text,
                    const char *pattern_end)
{
    m->L = L;
    m->steps = 0;
    m->depth = DEPTH_MAX;
    m->text = (const char *)text.at;
    m->text_end = m->text + text.len;
    m->pattern_end = pattern_end;
}

/* One attempt, at `s`. Returns the end of the match, or NULL. */
static const char *attempt(struct matcher *m, const char *s, const char *p)
{
    m->level = 0;
    return match(m, s, p);
}

static struct bytes check_text(lua_State *L, int index)
{
    size_t len;
    const char *text = luaL_checklstring(L, index, &len);
    return (struct bytes){(const uint8_t *)text, len};
}

/* The offset that argument 3 names: negative counts from the end; may be beyond it. */
static size_t check_init(lua_State *L, size_t len)
{
    lua_Integer at = luaL_optinteger(L, 3, 1);
    if (at > 0)
        return (size_t)at - 1;
    return at == 0 || at < -(lua_Integer)len ? 0 : len + (size_t)at;
}

static int find_or_match(lua_State *L, bool find)
{
    struct bytes text = check_text(L, 1), pattern = check_text(L, 2);
    const char *s = (const char *)text.at, *p = (const char *)pattern.at;
    size_t init = check_init(L, text.len);
    if (init > text.len) {
        luaL_pushfail(L);
        return 1;
    }
    budget_work(L, (pattern.len + (find ? text.len - init : 0)) * FIND_NS / 8);
    if (find && (lua_toboolean(L, 4) || has_no_specials(p, pattern.len))) {
        const char *found = memmem(s + init, text.len - init, p, pattern.len);
        if (!found) {
            luaL_pushfail(L);
            return 1;
        }
        lua_pushinteger(L, found - s + 1);
        lua_pushinteger(L, found - s + (lua_Integer)pattern.len);
        return 2;
    }
    struct matcher m;
    bool anchored = *p == '^';
    prepare(&m, L, text, p + pattern.len);
    p += anchored;
    const char *at = s + init;
    do {
        const char *end = attempt(&m, at, p);
        if (!end)
            continue;
        account(&m);
        if (!find)
            return push_captures(&m, at, end);
        lua_pushinteger(L, at - s + 1);
        lua_pushinteger(L, end - s);
        return push_captures(&m, NULL, NULL) + 2;
    } while (at++ < m.text_end && !anchored);
    account(&m);
    luaL_pushfail(L);
    return 1;
}

static int string_find(lua_State *L)
{
    return find_or_match(L, true);
}

static int string_match(lua_State *L)
{
    return find_or_match(L, false);
}

struct gmatch {
    const char *at, *pattern, *last_end; /* of the last match */
    struct matcher m;
};

/* What string.gmatch returns; upvalues: text, pattern, struct gmatch. */
static int next_match(lua_State *L)
{
    struct gmatch *g = lua_touserdata(L, lua_upvalueindex(3));
    g->m.L = L;
    g->m.depth = DEPTH_MAX; /* the last call may have raised */
    for (const char *s = g->at; s <= g->m.text_end; s++) {
        const char *end = attempt(&g->m, s, g->pattern);
        if (end && end != g->last_end) {
            account(&g->m);
            g->at = g->last_end = end;
            return push_captures(&g->m, s, end);
        }
    }
    account(&g->m);
    return 0;
}

static int string_gmatch(lua_State *L)
{
    struct bytes text = check_text(L, 1), pattern = check_text(L, 2);
    size_t init = check_init(L, text.len);
    lua_settop(L, 2);
    struct gmatch *g = lua_newuserdatauv(L, sizeof *g, 0);
    const char *p = (const char *)pattern.at;
    prepare(&g->m, L, text, p + pattern.len);
    g->at = g->m.text + (init > text.len ? text.len + 1 : init);
    g->pattern = p;
    g->last_end = NULL;
    lua_pushcclosure(L, next_match, 3);
    return 1;
}

/* Adds the replacement string, argument 3, with its captures. */
static void add_string(struct matcher *m, luaL_Buffer *b, const char *s, const char *e)
{
    struct bytes left = check_text(m->L, 3);
    const char *from = (const char *)left.at, *end = from + left.len, *at;
    step(m, left.len / 16);
    while ((at = memchr(from, ESCAPE, (size_t)(end - from))) != NULL) {
        const char *capture;
        luaL_addlstring(b, from, (size_t)(at - from));
        at++;
        if (*at == ESCAPE) {
            luaL_addchar(b, *at);
        } else if (*at == '0') {
            luaL_addlstring(b, s, (size_t)(e - s));
        } else if (isdigit((unsigned char)*at)) {
            ptrdiff_t len = get_capture(m, *at - '1', s, e, &capture);
            step(m, len > 0 ? (size_t)len / 16 : 0);
            if (len == CAPTURE_POSITION)
                luaL_addvalue(b);
            else
                luaL_addlstring(b, capture, (size_t)len);
        } else {
            luaL_error(m->L, "invalid use of '%c' in replacement string", ESCAPE);
        }
        from = at + 1;
    }
    luaL_addlstring(b, from, (size_t)(end - from));
}

/* Adds what replaces the match. Returns whether that changed anything: nil and false of a
 * function or a table keep the text. */
static bool add_value(struct matcher *m, luaL_Buffer *b, const char *s, const char *e,
                      int type)
{
    lua_State *L = m->L;
    if (type == LUA_TFUNCTION) {
        lua_pushvalue(L, 3);
        lua_call(L, push_captures(m, s, e), 1);
    } else if (type == LUA_TTABLE) {
        push_capture(m, 0, s, e);
        lua_gettable(L, 3);
    } else {
        add_string(m, b, s, e);
        return true;
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(b, s, (size_t)(e - s));
        return false;
    }
    if (!lua_isstring(L, -1))
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    step(m, lua_rawlen(L, -1) / 16);
    luaL_addvalue(b);
    return true;
}

static int string_gsub(lua_State *L)
{
    struct bytes text = check_text(L, 1), pattern = check_text(L, 2);
    const char *s = (const char *)text.at, *p = (const char *)pattern.at;
    const char *last_end = NULL;
    int type = lua_type(L, 3);
    lua_Integer max = luaL_optinteger(L, 4, (lua_Integer)text.len + 1), n = 0;
    bool anchored = *p == '^', changed = false;
    struct matcher m;
    luaL_Buffer b;
    luaL_argexpected(L,
                     type == LUA_TNUMBER || type == LUA_TSTRING ||
                         type == LUA_TFUNCTION || type == LUA_TTABLE,
                     3, "string/function/table");
    luaL_buffinit(L, &b);
    prepare(&m, L, text, p + pattern.len);
    p += anchored;
    while (n < max) {
        const char *end = attempt(&m, s, p);
        if (end && end != last_end) {
            n++;
            changed |= add_value(&m, &b, s, end, type);
            s = last_end = end;
            vm_check_string(L, luaL_bufflen(&b));
        } else if (s < m.text_end) {
            luaL_addchar(&b, *s++);
        } else {
            break;
        }
        if (anchored)
            break;
    }
    account(&m);
    if (changed) {
        luaL_addlstring(&b, s, (size_t)(m.text_end - s));
        luaL_pushresult(&b);
    } else {
        lua_pushvalue(L, 1);
    }
    lua_pushinteger(L, n);
    return 2;
}

void pattern_register(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"find", string_find},
        {"match", string_match},
        {"gmatch", string_gmatch},
        {"gsub", string_gsub},
        {NULL, NULL},
    };
    luaL_setfuncs(L, functions, 0);
}
