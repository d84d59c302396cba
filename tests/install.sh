#!/usr/bin/env bash
# install.sh: installs below a scratch folder, as a package would, and uses what is there: the program finds its
# rules and its page, a C program builds against the library by pkg-config, what people changed is neither
# overwritten nor removed, and uninstall leaves nothing else.
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
  share/charlua/types/charlua.lua share/charlua/types/charlua/test.lua share/doc/charlua/README.md \
  share/doc/charlua/LICENSE lib/systemd/system/charlua.service lib/systemd/system/charlua.socket; do
  [[ -e $root/usr/$file ]] || fail Makefile "install leaves out $file"
done

grep -q '^ExecStart=/usr/bin/charlua' "$root/usr/lib/systemd/system/charlua.service" ||
  fail Makefile "the unit that is installed starts another program"
! grep -rq /usr/local "$root/usr/lib/systemd" || fail Makefile "an installed unit names /usr/local"

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

# A new version comes: what people changed stays, what they did not change is replaced, and what they added is theirs.
share=$root/usr/share/charlua
echo "-- mine" >>"$share/chat.lua"
echo "-- old" >"$share/rooms.lua"
echo "-- gone" >"$share/gone.lua"
old=$(sha256sum <"$share/rooms.lua" | cut -d' ' -f1) gone=$(sha256sum <"$share/gone.lua" | cut -d' ' -f1)
sed -i "s#^.*  share/charlua/rooms.lua#$old  share/charlua/rooms.lua#" "$share/.installed"
echo "$gone  share/charlua/gone.lua" >>"$share/.installed"
echo "return {}" >"$share/own.lua"
at_make install >"$work/said"
[[ $(tail -1 "$share/chat.lua") == "-- mine" ]] || fail Makefile "install overwrites a chat.lua that was changed"
cmp -s scripts/chat.lua "$share/chat.lua.new" || fail Makefile "install does not put the new chat.lua beside the changed one"
grep -q "chat.lua was changed and stays as it is; the new one is .*chat.lua.new" "$work/said" ||
  fail Makefile "install does not say that chat.lua was changed"
cmp -s scripts/rooms.lua "$share/rooms.lua" || fail Makefile "install does not replace a module that nobody changed"
[[ ! -e $share/rooms.lua.new && ! -e $share/gone.lua ]] || fail Makefile "install leaves what the version before had"
at_make uninstall >"$work/said"
grep -q "chat.lua was changed and stays" "$work/said" || fail Makefile "uninstall does not say what it leaves"
left=$(cd "$root" && find . ! -type d | LC_ALL=C sort | tr '\n' ' ')
[[ $left == "./usr/share/charlua/chat.lua ./usr/share/charlua/own.lua " ]] || fail Makefile "uninstall leaves $left"
rm "$share/chat.lua" "$share/own.lua"

at_make install
at_make uninstall
left=$(find "$root" ! -type d)
[[ -z $left ]] || fail Makefile "uninstall leaves $left"
[[ ! -e $root/usr/share/charlua ]] || fail Makefile "uninstall leaves share/charlua"
