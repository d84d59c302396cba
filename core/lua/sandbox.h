/* sandbox: the globals that scripts see: text chunks only, no io, no debug, no way to run
 * without a budget. Does not know: charlua's own modules, files, require. Thread: the
 * host's. Owner: nobody; what it pushes belongs to Lua. */
#ifndef CHARLUA_LUA_SANDBOX_H
#define CHARLUA_LUA_SANDBOX_H

#include "lua/vm.h"

#include <lua.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

/* vm_open for rules: the metatable of strings, which all of a state share, is out of
 * their reach and has guarded methods. */
int sandbox_open(struct vm *vm, size_t memory_max, void *self);

/* Pushes a fresh table of what a script may use of the standard libraries: its globals.
 * [-0, +1] */
void sandbox_push(lua_State *L);

/* Pushes the function `load` for the globals at `globals`; with `bytecode` it takes that,
 * too. [-0, +1] */
void sandbox_push_load(lua_State *L, int globals, bool bytecode);

/* From now on math.random goes its way from `seed`. [-0, +0] */
void sandbox_seed(lua_State *L, lua_Integer seed);

/* `n` bytes of that chance. [-0, +0] */
void sandbox_chance(lua_State *L, uint8_t *bytes, size_t n);

#endif
