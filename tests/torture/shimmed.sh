#!/bin/sh
# shimmed.sh: the program, with the shim between it and the kernel: CHARLUA_BIN for the end-to-end tests.
shim=$CHARLUA_BUILD/torture/shim.so
[ -e "$shim" ] || { echo "$shim is missing: make torture-shim builds it" >&2; exit 1; }
LD_PRELOAD=$shim exec "$CHARLUA_BUILD/charlua" "$@"
