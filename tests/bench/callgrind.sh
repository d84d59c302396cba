#!/bin/sh
# callgrind.sh: the program under callgrind, for instructions.mjs. CALLGRIND_OUT is where the counts go. Where that can be
# asked for, addresses are the same every time, as Lua's hashes depend on them.
still=$(setarch -R true 2>/dev/null && echo setarch -R)
exec $still valgrind --quiet --tool=callgrind --callgrind-out-file="$CALLGRIND_OUT" "${CHARLUA_BUILD:-build}/charlua" "$@"
