#!/usr/bin/env bash
# lint.sh: three readers of the C sources: gcc's -fanalyzer, clang-tidy (.clang-tidy says what it looks for) and
# cppcheck. `make lint` runs it; any finding fails it. Arguments: files to read instead of all.
set -euo pipefail
cd "$(dirname "$0")/.."
for program in gcc clang-tidy cppcheck pkg-config; do
  command -v "$program" >/dev/null || { echo "tests/lint.sh: $program is missing: make lint installs it" >&2; exit 1; }
done
files=("$@")
((${#files[@]})) || files=(core/*.c core/*/*.c tests/unit/*.c tests/fuzz/*.c examples/*.c)
read -ra libs < <(pkg-config --cflags lua5.4 lua5.4-cjson)
flags=(-std=c11 -D_GNU_SOURCE -Icore -Itests/unit -Itests/fuzz "${libs[@]}" -include tests/lint.h)
failed=0

# Not its malloc-leak: gcc 12 loses sight of pointers that live in arrays, as those of rooms and options do. Leaks are
# LeakSanitizer's and memcheck's, and the unit tests count what every failing allocation leaves behind. And not the unit
# tests, whose paths go on behind failed asserts for it: cmocka does not say that they do not return.
echo "== gcc -fanalyzer"
printf '%s\0' "${files[@]}" | { grep -zv '^tests/unit/' || true; } |
  xargs -0 -r -n1 -P2 gcc "${flags[@]}" -O1 -fanalyzer -Wno-analyzer-malloc-leak -Werror -c -o /dev/null || failed=1

# One file a run: with several, clang-tidy 14 no longer knows va_start.
echo "== clang-tidy"
printf '%s\0' "${files[@]}" | xargs -0 -P2 -I{} clang-tidy --quiet {} -- "${flags[@]}" 2>/dev/null || failed=1

# It does not know that an anonymous mmap takes -1, that cmocka's asserts do not return, nor that the two symbols around a
# Lua file that play/ carries in its code are the ends of one object.
echo "== cppcheck"
cppcheck --quiet --std=c11 -D_GNU_SOURCE -Icore -Itests/unit -Itests/fuzz --library=posix -j2 \
  --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
  --suppress=missingIncludeSystem --suppress=invalidFunctionArg:tests/unit/unit.h \
  --suppress='arrayIndexOutOfBoundsCond:tests/unit/*' --suppress='comparePointers:core/play/*' "${files[@]}" || failed=1

((failed == 0)) && echo "lint: all is well"
exit "$failed"
