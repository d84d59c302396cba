#!/usr/bin/env bash
# install.sh: installs below a scratch folder, as a package would, and uses what is there: the program finds its
# rules and its page, a C program builds against the library by pkg-config, and uninstall leaves nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
export BUILD=${BUILD:-build}
work=$(mktemp -d)
root=$work/root
pid=
trap '[[ -z $pid ]] || kill -KILL "$pid" 2>/dev/null || true; rm -rf "$work"' EXIT

fail() { # place, sentence
  echo "$1: $2" >&2
  [[ ! -s $work/log ]] || cat "$work/log" >&2
  exit 1
}

at_make() {
  make -s --no-print-directory "$@" DESTDIR="$root" PREFIX=/usr || fail Makefile "make $* fails: see above"
}

at_make install
for file in bin/charlua lib/libcharlua.a lib/libcharlua.so include/charlua.h lib/pkgconfig/charlua.pc \
  share/charlua/chat.lua share/charlua/README.md share/charlua/public/index.html \
  share/charlua/types/charlua.lua share/charlua/types/charlua/test.lua; do
  [[ -e $root/usr/$file ]] || fail Makefile "install leaves out $file"
done

# The program, from another folder, with everything at its default but the port.
mkfifo "$work/fifo"
(cd "$work" && exec "$root/usr/bin/charlua" --listen 127.0.0.1:0) 2>"$work/fifo" &
pid=$!
exec {lines}<"$work/fifo"
port=
while IFS= read -r -t 10 -u "$lines" line; do
  echo "$line" >>"$work/log"
  [[ $line =~ listening\ addr=127.0.0.1:([0-9]+) ]] && port=${BASH_REMATCH[1]}
  [[ $line == *" ready "* ]] && break
done
[[ $port && $line == *" ready "* ]] || fail core/main.c "the installed program does not start"
grep -q "script=$root/usr/share/charlua/chat.lua" "$work/log" || fail core/main.c "the installed program takes another script"
curl -sf -m 10 "http://127.0.0.1:$port/" | cmp -s - scripts/public/index.html ||
  fail core/server/assemble.c "the installed program does not serve its page"
kill -TERM "$pid"
while IFS= read -r -t 10 -u "$lines" line; do echo "$line" >>"$work/log"; done
wait "$pid" || fail core/main.c "the installed program ends with status $?"
pid=
: >"$work/log"

# A C program, with what pkg-config says, against the shared library and then the static one.
export PKG_CONFIG_PATH=$root/usr/lib/pkgconfig PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
flags() { # pkg-config's words about charlua, with the scratch folder before its own paths
  pkg-config "$@" charlua | sed -E "s#-([IL])/usr/(include|lib)( |\$)#-\1$root/usr/\2\3#g"
}
version=$(pkg-config --modversion charlua)
[[ "charlua $version" == "$("$root/usr/bin/charlua" --version)" ]] || fail Makefile "charlua.pc has version $version"
build() { # output, flags...
  # shellcheck disable=SC2046
  "${CC:-cc}" -o "$1" examples/embed_ops.c $(pkg-config --cflags lua5.4) "${@:2}" $(pkg-config --libs lua5.4) -pthread
}
read -ra cflags < <(flags --cflags)
read -ra shared < <(flags --libs)
read -ra static < <(flags --static --libs)
build "$work/shared" "${cflags[@]}" "${shared[@]}" || fail Makefile "charlua.pc: a program does not build: ${cflags[*]} ${shared[*]}"
build "$work/static" "${cflags[@]}" "${static[@]/-lcharlua/-l:libcharlua.a}" ||
  fail Makefile "charlua.pc: a program does not build with --static: ${static[*]}"
for program in shared static; do
  said=$(LD_LIBRARY_PATH=$root/usr/lib "$work/$program" 2>"$work/log" </dev/null) || fail Makefile "the $program program fails"
  [[ $said =~ ^port\ [1-9] ]] || fail Makefile "the $program program says '$said'"
done
: >"$work/log"

at_make uninstall
left=$(find "$root" ! -type d)
[[ -z $left ]] || fail Makefile "uninstall leaves $left"
[[ ! -e $root/usr/share/charlua ]] || fail Makefile "uninstall leaves share/charlua"
