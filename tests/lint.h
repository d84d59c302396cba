/* lint.h: tells the readers of lint.sh, which reads it in front of every file, what Lua's headers do not: these functions
 * never return. Without it whatever is checked before a luaL_error is taken for possible behind it. */
#include <lauxlib.h>

__attribute__((noreturn)) int lua_error(lua_State *L);
__attribute__((noreturn)) int luaL_error(lua_State *L, const char *format, ...);
__attribute__((noreturn)) int luaL_argerror(lua_State *L, int arg, const char *text);
__attribute__((noreturn)) int luaL_typeerror(lua_State *L, int arg, const char *name);
