#!/usr/bin/env bash
# hardening.sh: the built program and library have what makes a hole hard to use. check.sh runs it; BUILD is the folder
# of the build, as for make. A sanitizer build has no _FORTIFY_SOURCE: look at a plain one.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build}
export LC_ALL=C
findings=0

# file, rule, what readelf says about it, a regex that it has to match; "no": that it must not
rule() {
  local is=yes
  grep -qE -- "$4" <<<"$3" || is=no
  [[ $is == "${5:-yes}" ]] || { echo "$1: $2" >&2; findings=$((findings + 1)); }
}

for file in "$build/charlua" "$build/libcharlua.so"; do
  head=$(readelf -hW "$file") segments=$(readelf -lW "$file") dynamic=$(readelf -dW "$file") symbols=$(readelf -sW "$file")
  rule "$file" "is not position independent" "$head" 'Type: +DYN'
  rule "$file" "has no RELRO segment: link it with -z relro" "$segments" 'GNU_RELRO'
  rule "$file" "binds lazily, so its RELRO is partial: link it with -z now" "$dynamic" 'BIND_NOW|FLAGS_1.*NOW'
  rule "$file" "does not say that its stack is not executable" "$segments" 'GNU_STACK'
  rule "$file" "has an executable stack" "$segments" 'GNU_STACK.* RWE ' no
  rule "$file" "has a segment that can be written and executed" "$segments" 'LOAD.* RWE ' no
  rule "$file" "has relocations in its code" "$dynamic" 'TEXTREL' no
  rule "$file" "looks for libraries in a place of its own" "$dynamic" 'RPATH|RUNPATH' no
  rule "$file" "has no stack protector: -fstack-protector-strong" "$symbols" '__stack_chk_fail'
  rule "$file" "has no fortified calls: -O2 -D_FORTIFY_SOURCE=2" "$symbols" '__[a-z]+_chk(@|$)'
done
rule "$build/charlua" "is not linked with -pie" "$(readelf -dW "$build/charlua")" 'FLAGS_1.*PIE'

exit $((findings > 0))
