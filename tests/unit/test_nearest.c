/* nearest: which name was meant. */
#include "base/nearest.h"
#include "unit.h"

static const struct row {
    const char *name, *wanted, *best;
} rows[] = {
    {"nearest_adds_a_letter", "listn", "listen"},
    {"nearest_takes_a_letter_out", "listenn", "listen"},
    {"nearest_changes_two_letters", "lixtex", "listen"},
    {"nearest_does_not_guess_at_three", "lxxtex", NULL},
    {"nearest_takes_the_name_itself", "watch", "watch"},
    {"nearest_prefers_fewer_edits", "cheks", "check"},
    {"nearest_does_not_replace_a_whole_word", "ab", NULL},
    {"nearest_does_not_replace_most_of_a_short_word", "xcx", NULL},
    {"nearest_of_nothing_is_nothing", "", NULL},
    {"nearest_of_a_long_word_is_nothing", "listenlistenlistenlistenlistenlisten", NULL},
};

static void finds_the_best(void **state)
{
    const struct row *row = *state;
    static const char *const names[] = {"listen", "watch", "checked", "check", "cd"};
    struct nearest n = nearest_to(row->wanted);
    for (size_t i = 0; i < COUNT(names); i++)
        nearest_try(&n, names[i]);
    if (row->best)
        assert_string_equal(n.best, row->best);
    else
        assert_null(n.best);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(rows)];
    UNIT_ROWS(tests, rows, finds_the_best);
    return cmocka_run_group_tests_name("nearest", tests, NULL, NULL);
}
