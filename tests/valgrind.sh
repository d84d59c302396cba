#!/usr/bin/env bash
# valgrind.sh: the program under valgrind's memcheck, for the end-to-end tests (CHARLUA_BIN=tests/valgrind.sh).
# `make valgrind` runs it. What memcheck finds, a leak included, makes the program end with 99, which fails the test.
# Handlers get more time: instructions are fifty times slower here.
set -euo pipefail
root=$(dirname "$(readlink -f "$0")")/..
exec valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,possible \
  --errors-for-leak-kinds=definite,possible --track-fds=no --fair-sched=yes --num-callers=24 \
  "${CHARLUA_BUILD:-$root/build}/charlua" --handler-time 5000 "$@"
