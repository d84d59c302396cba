/* guard: what of the standard libraries could run or allocate without end in C, where no
 * hook looks at the budget, is replaced: by a function that says beforehand how long it
 * will take (budget_work) and then calls the library's own, or by one that can't take
 * long. What is long by its results is refused. One file a library: guard_table.c,
 * guard_string.c, ... Does not know: which globals there are. Thread: the host's. Owner:
 * nobody; what is set belongs to Lua. */
#ifndef CHARLUA_LUA_GUARD_H
#define CHARLUA_LUA_GUARD_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each guards the functions in the table on top: those of the library of its name. [-0,
 * +0] */
void guard_base(lua_State *L);
void guard_coroutine(lua_State *L);
void guard_os(lua_State *L);
void guard_string(lua_State *L);
void guard_table(lua_State *L);
void guard_utf8(lua_State *L);
void guard_json(lua_State *L); /* lua-cjson's */

/* --- what they share ----------------------------------------------------- */

enum { GUARD_RESULTS_MAX = 10000 }; /* of one call */

/* Replaces field `name` of the table on top, a C function with one upvalue at most, by f.
 * [-0, +0] */
void guard_field(lua_State *L, const char *name, lua_CFunction f);

/* Runs the function that was in the field, for the arguments on the stack: returns what
 * it returns, raises what it raises, as if the script had called it. For guard_field's
 * functions alone; nothing of theirs may be on the stack any more. */
int guard_original(lua_State *L);

/* The integer that luaL_checkinteger would take the value at `index` for: 1, 1.0, "1" and
 * " 0x1 " are one. False where that would raise, which is then left to the function
 * itself. */
bool guard_integer(lua_State *L, int index, lua_Integer *n);

/* The price of reading all strings among the arguments: `ns` nanoseconds a byte. */
void guard_strings(lua_State *L, uint64_t ns);

/* Raises `message` when a call would return a value for each of `first` to `last` and
 * these are too many. */
void guard_results(lua_State *L, lua_Integer first, lua_Integer last,
                   const char *message);

/* Where `at` of a string of `len` bytes is, from 1; negative counts from the end. */
lua_Integer guard_position(lua_Integer at, size_t len);

#endif
