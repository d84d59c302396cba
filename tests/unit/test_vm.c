/* vm: what its collector does at once is little, however much there is to collect: all of
 * it is time of the handler in which it is due. */
#include "lua/vm.h"
#include "unit.h"

#include <lauxlib.h>

enum { OBJECTS = 200000, TEXT_BYTES = 64 << 10, AT_ONCE_MAX = 50000 };

static struct {
    struct vm vm;
    lua_Alloc allocate;
    size_t freed,
        most; /* blocks, two a table: since the last text was begun; by one text */
} it;

static void *count(void *ud, void *at, size_t old, size_t size)
{
    it.freed += at && size == 0;
    return it.allocate(ud, at, old, size);
}

/* Many small objects that nobody needs any more. */
static int leave_behind(lua_State *L)
{
    lua_createtable(L, OBJECTS, 0);
    for (int i = 1; i <= OBJECTS; i++) {
        lua_createtable(L, 1, 0);
        lua_rawseti(L, -2, i);
    }
    return 0;
}

/* What a list of a thousand members allocates, again and again, until they are gone. */
static int make_texts(lua_State *L)
{
    static char text[TEXT_BYTES];
    for (size_t total = 0; total < OBJECTS; total += it.freed) {
        it.freed = 0;
        lua_pushlstring(L, text, sizeof text);
        lua_pop(L, 1);
        it.most = it.freed > it.most ? it.freed : it.most;
    }
    return 0;
}

static void a_long_string_collects_a_little(void **state)
{
    char error[VM_ERROR_SIZE] = "";
    void *ud;
    (void)state;
    assert_int_equal(vm_open(&it.vm, 256 << 20, NULL), 0);
    it.allocate = lua_getallocf(it.vm.L, &ud);
    lua_setallocf(it.vm.L, count, ud);
    if (vm_call(&it.vm, leave_behind, NULL, error) < 0 ||
        vm_call(&it.vm, make_texts, NULL, error) < 0)
        fail_msg("%s", error);
    assert_in_range(it.most, 1, AT_ONCE_MAX);
    vm_close(&it.vm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_string_collects_a_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
