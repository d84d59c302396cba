#!/usr/bin/env bash
# check.sh: what no compiler checks: formatting, luacheck, layers of core/, documents, binaries, an installation.
# `make check` runs it. Each finding says file:line and what to do; the last line says how many there are.
# BUILD is the folder of the build to look at (default: build), as for make.
set -euo pipefail
cd "$(dirname "$0")/.."
export BUILD=${BUILD:-build} LC_ALL=C.UTF-8
findings=0

# Over FILE_LINES or FUNCTION_LINES a comment has to say why, with the word "longer": at the top of the file, or
# above the function.
FILE_LINES=400
# Beyond this no comment helps; pattern.c is Lua's own matcher and stays as it is there.
FILE_LINES_MOST=450
FUNCTION_LINES=60

find_fault() { # place, sentence
  echo "$1: $2" >&2
  findings=$((findings + 1))
}

# Reads "place: sentence" lines.
find_faults() {
  local line
  while IFS= read -r line; do
    [[ -z $line ]] || { echo "$line" >&2; findings=$((findings + 1)); }
  done
}

need() { # program...
  local program
  for program in "$@"; do
    command -v "$program" >/dev/null || { echo "tests/check.sh: $program is missing: make deps-test installs it" >&2; exit 1; }
  done
}

# Prints FILE:LINE:TEXT of C files without their comments.
without_comments() {
  awk 'FNR == 1 { inside = 0 }
    { rest = $0; out = ""
      while (rest != "") {
        i = index(rest, inside ? "*/" : "/*")
        if (!inside) out = out (i ? substr(rest, 1, i - 1) " " : rest)
        rest = i ? substr(rest, i + 2) : ""
        if (i) inside = !inside
      }
      print FILENAME ":" FNR ":" out }' "$@"
}

check_format() {
  local files=(core/*.[ch] core/*/*.[ch] tests/unit/*.[ch] tests/bench/*.[ch] examples/*.[ch])
  clang-format --dry-run -Werror "${files[@]}" 2>&1 |
    sed -n 's/^\([^:]*:[0-9]*\):[0-9]*: error:.*/\1: not formatted: make format/p' | sort -u -t: -k1,1
}

check_lua() {
  local places=(scripts examples core/play)
  [[ ! -d tests/e2e/fixtures ]] || places+=(tests/e2e/fixtures)
  [[ ! -d tests/bench ]] || places+=(tests/bench)
  luacheck --formatter plain "${places[@]}" || true
}

# Every #include of core/ against the layers: a folder includes itself and lower ones. The files of core/ itself lie on
# top; config and its table alone are a layer like play/, for the server reads it.
check_layers() {
  find core -mindepth 3 -name '*.[ch]' -printf '%p:1: lies deeper than the layers: core/FOLDER/FILE\n'
  grep -nH '^ *# *include' core/*.[ch] core/*/*.[ch] | awk -F: '
    BEGIN {
      layer["base"] = 0; layer["wire"] = 1; layer["net"] = 2; layer["engine"] = layer["room"] = 3; layer["lua"] = 4
      layer["script"] = 5; layer["play"] = layer["admin"] = layer["config"] = 6; layer["server"] = 7
      layer["ctl"] = 8; layer[""] = 9
    }
    function folder(path) {
      return path ~ /\// ? substr(path, 1, index(path, "/") - 1) : path ~ /^config[._]/ ? "config" : ""
    }
    function fault(text) { print file ":" $2 ": includes " name ": " text }
    {
      file = $1; mine = folder(substr(file, 6))
      name = $3; sub(/^[^<"]*/, "", name); sub(/[^>"]*$/, "", name)
      bare = substr(name, 2, length(name) - 2)
      if (name ~ /^"/) {
        theirs = folder(bare)
        if (!(mine in layer)) fault("core/" mine "/ has no layer: give it one in tests/check.sh")
        else if (!(theirs in layer)) fault("core/" theirs "/ has no layer: give it one in tests/check.sh")
        else if (layer[theirs] > layer[mine]) fault("that lies above core/" mine "/: move what is needed down")
        else if (layer[theirs] == layer[mine] && theirs != mine)
          fault("that lies beside core/" mine "/: move what both need down")
        if (file == "core/main.c" && bare != "charlua.h") fault("main.c has only charlua.h: extend that")
        next
      }
      if (name !~ /^</) fault("say the header itself, not a macro")
      if (bare ~ /^(lua|lauxlib|lualib)\.h$/ && mine !~ /^(lua|script|play)$/) fault("Lua stays in core/lua/, script/ and play/")
      if (bare == "ev.h" && file !~ /^core\/(room\/shard\.c|server\/.*|admin\/.*|engine\/redis.*)$/)
        fault("libev stays in room/shard.c, server/, admin/ and engine/redis")
      if (bare == "liburing.h" && file != "core/net/uring.c") fault("liburing stays in net/uring.c")
      if (bare ~ /^curl\// && file != "core/net/fetch.c") fault("libcurl stays in net/fetch.c")
      if (bare == "openssl/ssl.h" && mine != "net") fault("TLS stays in core/net/")
      if (bare ~ /^uni(case|norm|str|ctype)\.h$/ && file != "core/script/name_key.c")
        fault("libunistring stays in script/name_key.c")
      if (bare ~ /^(sqlite3\.h|hiredis)/ && mine != "engine") fault("SQLite and hiredis stay in core/engine/")
      pure = mine == "base" || mine == "wire" || file ~ /^core\/(room\/(topic|roster|bundle|slots|pace|waits)|net\/outq|script\/timers)\.[ch]$/
      if (pure && bare ~ /^(sys\/(socket|stat|time|select|epoll|random)|unistd|fcntl|poll|ev|lua|openssl\/ssl)\.h$/)
        fault("this file is pure: take what it would ask as an argument")
      if (pure && bare == "time.h" && file != "core/base/clock.h") fault("only base/clock.h asks the time")
      if (mine != "wire" && bare ~ /^(openssl|zlib)/ && file !~ /^core\/(net\/(stream_tls|tls_[a-z]+)|script\/api_crypto)\.c$/)
        fault("digests and zlib stay in core/wire/ and script/api_crypto.c")
    }'
}

# No circle among the files of core/: a file that needs a symbol of another is not needed by it, however far round.
# The objects say who needs whom; a function that is handed over as a pointer makes no circle. Objects whose source is
# gone are old ones. Names each step of a circle.
check_circles() {
  local sources=(core/*.c core/*/*.c) needs loops
  needs=$((cd "$BUILD" && nm -A "${sources[@]/%.c/.o}") | awk '
    { file = $1; sub(/\.o:.*/, ".c", file) }
    $(NF - 1) ~ /^[TDBRVW]$/ { home[$NF] = file }
    $(NF - 1) == "U" { needs[file " " $NF] }
    END { for (pair in needs) { split(pair, p, " "); if (p[2] in home && home[p[2]] != p[1]) print p[1], home[p[2]], p[2] } }' | sort)
  [[ -n $needs ]] || { echo "$BUILD:1: has no objects of core/: make all"; return; }
  loops=$(cut -d' ' -f1,2 <<<"$needs" | uniq | { tsort 2>&1 >/dev/null || true; } |
    sed -n 's/^tsort: .* contains a loop:/+/p; s/^tsort: \(core.*\)/\1/p')
  [[ -z $loops ]] || awk '
    FNR == NR { if ($1 == "+") loop++; else within[loop, $1]; next }
    {
      for (i = 1; i <= loop; i++)
        if ((i, $1) in within && (i, $2) in within && !(($1, $2) in told)) {
          told[$1, $2]
          print $1 ":1: needs " $3 " of " $2 ", which needs this file in turn: move what both need below them"
        }
    }' <(echo "$loops") - <<<"$needs"
}

# The process belongs to main.c alone.
check_process() {
  without_comments $(ls core/*.[ch] core/*/*.[ch] | grep -v '^core/main\.c$') |
    grep -E '(^|[^A-Za-z0-9_.>])(_?exit|abort|quick_exit|atexit|signal|sigaction|sigprocmask)[ ]*\(|\b(argc|argv)\b' |
    sed -E 's/^([^:]*:[0-9]+):.*/\1: exit, argv and signals belong to core\/main.c: return an error instead/' || true
}

# Every header begins with its comment and compiles alone; every source is clean for clang as well.
check_compile() {
  local flags=(-std=c11 -D_GNU_SOURCE -Icore -Wall -Wextra -Wshadow -Wconversion -Wswitch-enum -Wmissing-prototypes)
  local file libs
  read -ra libs < <(pkg-config --cflags lua5.4)
  for file in core/*.h core/*/*.h; do
    [[ $(head -c 3 "$file") == '/* ' ]] || echo "$file:1: a header begins with its comment: the job, what it does not know, thread, owner"
  done
  for file in core/*.h core/*/*.h; do
    echo "#include \"${file#core/}\"" | clang "${flags[@]}" "${libs[@]}" -fsyntax-only -x c - 2>/dev/null ||
      echo "$file:1: does not compile alone: include what it uses"
  done
  printf '%s\0' core/*.c core/*/*.c examples/*.c |
    xargs -0 -n4 -P2 clang -fsyntax-only -Werror "${flags[@]}" "${libs[@]}" 2>&1 |
    sed -nE 's/^([^:]*:[0-9]+):[0-9]+: (fatal )?error: (.*)/\1: clang: \3/p' || true
}

# Files and functions that are long say why.
check_lengths() {
  awk -v most="$FILE_LINES" -v hard="$FILE_LINES_MOST" -v most_function="$FUNCTION_LINES" '
    function end_of_file() {
      if (lines > hard && file !~ /pattern\.c$/) print file ":1: " lines " lines: split it"
      else if (lines > most && why !~ /longer/)
        print file ":1: " lines " lines: split it, or say in its first comment why it is longer"
    }
    FNR == 1 { end_of_file(); file = FILENAME; top = 1; why = comment = ""; from = 0 }
    { lines = FNR }
    top { why = why tolower($0) }
    /\*\// { top = 0 }
    /^\/\*/ { comment = "" }
    { comment = comment tolower($0) }
    /^{/ { from = FNR; above = comment }
    /^}/ { if (from && FNR - from > most_function && above !~ /longer/)
             print FILENAME ":" from ": a function of " FNR - from " lines: split it, or say in its comment why it is longer"
           from = 0; comment = "" }
    END { end_of_file() }' core/*.[ch] core/*/*.[ch]
}

# Names of functions, types and constants that comments of core/ and the README.md files of its folders (there: in `code`)
# speak of exist: in the code, as a file, or as somebody else's. A file may leave its own name out: mailbox.h says
# is_full for mailbox_is_full. Only names with a _ in them can be told from words.
check_names() {
  awk '
    BEGIN { others = "^(lua|luaL|ev|SSL|io_uring|curl|SO|sd|z|close_notify|toNFKC_Casefold|Default_Ignorable)(_|$)" }
    FNR == 1 { inside = 0; module = FILENAME; sub(/.*\//, "", module); sub(/\..*/, "", module); known[module] }
    {
      rest = $0; code = ""; said = ""
      if (FILENAME ~ /\.md$/) {
        n = split(rest, parts, "`")
        for (i = 2; i <= n; i += 2) if (parts[i] !~ /[.\/{]/) said = said " " parts[i] # a file is for check_links
      } else if (FILENAME ~ /\.lua$/) {
        code = rest
      } else {
        while (rest != "") {
          i = index(rest, inside ? "*/" : "/*")
          piece = i ? substr(rest, 1, i - 1) : rest
          if (inside) said = said " " piece
          else code = code " " piece
          rest = i ? substr(rest, i + 2) : ""
          if (i) inside = !inside
        }
      }
      for (; match(code, /[A-Za-z_][A-Za-z0-9_]*/); code = substr(code, RSTART + RLENGTH))
        known[substr(code, RSTART, RLENGTH)]
      for (; match(said, /[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)+/); said = substr(said, RSTART + RLENGTH)) {
        which[++count] = substr(said, RSTART, RLENGTH); place[count] = FILENAME ":" FNR; in_module[count] = module
      }
    }
    END {
      for (i = 1; i <= count; i++) {
        name = which[i]
        if (!(name in known) && !((in_module[i] "_" name) in known) && !((toupper(in_module[i]) "_" name) in known) &&
            name !~ others) print place[i] ": speaks of " name ", which is nowhere in the code: say what it is called"
      }
    }' core/*.[ch] core/*/*.[ch] core/play/*.lua core/README.md core/*/README.md
}

# The options of --help against the rows of README.md, both ways; and the defaults that are one number or word.
check_options() {
  local helped told name
  "$BUILD/charlua" --help | awk '
    /^  --/ { option = $1 }
    match($0, /\(default: [a-z0-9]+\)/) { said[option] = substr($0, RSTART + 10, RLENGTH - 11) }
    END { while ((getline row < "README.md") > 0) {
      line++
      if (split(row, cell, /[|`]/) < 5 || row !~ /^\| `--/) continue
      name = cell[3]; sub(/ .*/, "", name)
      split(row, column, " *\\| *"); gsub(/`/, "", column[3])
      if (name in said && column[3] != said[name])
        print "README.md:" line ": the default of " name " is " said[name] ", not " column[3] }
    }'
  helped=$("$BUILD/charlua" --help | grep -oE '^  --[a-z-]+' | tr -d ' ' | sort)
  told=$(grep -oE '^\| `--[a-z-]+' README.md | sed 's/.*`//' | sort)
  for name in $(comm -23 <(echo "$helped") <(echo "$told")); do
    echo "README.md:$(grep -n '^## Options' README.md | cut -d: -f1): $name has no row in the table of options: add one"
  done
  for name in $(comm -13 <(echo "$helped") <(echo "$told")); do
    echo "README.md:$(grep -nE "^\| \`$name\b" README.md | cut -d: -f1 | head -1): the program has no $name: remove the row"
  done
}

# Each function that a script can call is in scripts/README.md as its reference writes it. The tables of functions say
# which there are; a table belongs to the object that its file is named after. (Fields are the business of
# tests/e2e/rules.test.mjs and types.test.mjs, which ask the program itself.)
check_api() {
  [[ -e scripts/README.md ]] || { echo "scripts/README.md:1: is missing: it is the reference of the API"; return; }
  awk '
    FILENAME ~ /\.md$/ { reference = reference "\n" $0; next }
    FNR == 1 {
      on = 0; owner = FILENAME
      if (!sub(/.*\/api_/, "", owner)) owner = ""
      sub(/\.c$/, "", owner)
      owner = owner == "" ? "" : owner == "chat" ? "chat." : owner == "crypto" ? "chat.crypto." : owner ":"
    }
    /luaL_Reg [a-z_]+\[\] *=/ {
      on = 1; tables++
      if (owner == "") print FILENAME ":" FNR ": a table of functions for scripts: it belongs in an api_*.c, named after its object"
    }
    on {
      for (rest = $0; match(rest, /\{"[a-z_0-9]+"/); rest = substr(rest, RSTART + RLENGTH)) {
        name = substr(rest, RSTART + 2, RLENGTH - 3)
        if (owner != "" && !index(reference, owner name "("))
          print FILENAME ":" FNR ": scripts/README.md does not have " owner name "(...): tell its types, units and errors there"
      }
    }
    /;/ { on = 0 }
    END { if (!tables) print "tests/check.sh:1: finds no table of functions in core/script/: look at check_api" }' scripts/README.md core/script/*.c
}

# Relative links of every README.md, and the paths of the tree that the first one names.
check_links() {
  local file place link
  while IFS= read -r file; do
    [[ -e $file ]] || continue
    { grep -noE '\]\([^)# ]+' "$file" || true; } | sed 's/](//' | while IFS=: read -r place link; do
      [[ $link == *:* || -e $(dirname "$file")/$link ]] ||
        echo "$file:$place: the link to $link leads nowhere: mend it"
    done
  done < <(git ls-files -co --exclude-standard -- '*README.md')
  { grep -noE '`(core|scripts|tests|examples)/[A-Za-z0-9_./-]*`' README.md || true; } | tr -d '`' | while IFS=: read -r place link; do
    [[ -e $link ]] || echo "README.md:$place: there is no $link: mend the path"
  done
  local text folder=
  for file in core/*.c core/*/*.c tests/e2e/*.test.mjs; do
    [[ ${file%/*} == "$folder" ]] || { folder=${file%/*}; text=$(<"$folder/README.md"); }
    link=${file##*/} link=${link%.c}
    [[ $text == *"\`$link"[.\`]* || $text == *"\`${link%%_*}_*\`"* ]] ||
      echo "$file:1: $folder/README.md does not name it: give it a row"
  done
  grep -noE '`([a-z0-9_]+/)+[A-Za-z0-9_.-]*`' core/README.md core/*/README.md | tr -d '`' | while IFS=: read -r file place link; do
    [[ -e $link || -e core/$link || -e core/$link.c || -e core/$link.h || -e $(dirname "$file")/$link ]] ||
      echo "$file:$place: there is no $link: mend the path"
  done
  for file in . core core/*/ scripts tests tests/*/ examples; do
    [[ $file == tests/e2e/fixtures* || -e $file/README.md ]] || echo "${file%/}:1: the folder has no README.md: say in a few lines what lives there"
  done
}

# The C programs in README.md compile.
check_snippets() {
  awk '/^```c$/ { on = 1; print "#line " NR + 1 " \"README.md\""; next } /^```/ { on = 0 } on' README.md |
    clang -std=c11 -Icore -Wall -Wextra -Werror -fsyntax-only -x c - 2>&1 |
    sed -nE 's/^(README.md:[0-9]+):[0-9]+: (fatal )?error: (.*)/\1: the example does not compile: \3/p' || true
}

# make help lists the targets that the Makefile's first .PHONY names.
check_targets() {
  local listed target
  listed=$(make -s --no-print-directory help)
  for target in $(sed -n 's/^\.PHONY: //p;' Makefile | head -1); do
    grep -qE "^ *make $target\b" <<<"$listed" ||
      echo "Makefile:$(grep -n "^$target:" Makefile | cut -d: -f1 | head -1): make help does not list $target: end its line with ## and a few words"
  done
}

# The shared library exports charlua_* and nothing else.
check_exports() {
  nm -D --defined-only "$BUILD/libcharlua.so" | awk '$3 !~ /^charlua_/ {
    print "'"$BUILD"'/libcharlua.so: exports " $3 ": make it static, or build it with -fvisibility=hidden" }'
  comm -23 <(grep -oE '\bcharlua_[a-z_]+\(' core/charlua.h | tr -d '(' | sort -u) \
    <(nm -D --defined-only "$BUILD/libcharlua.so" | awk '{ print $3 }' | sort -u) |
    sed "s|.*|core/charlua.h:1: declares &, which libcharlua.so does not export: define it, with CHARLUA_API|"
}

need clang clang-format luacheck nm pkg-config git curl
make -s --no-print-directory -j2 all examples
for check in format lua layers circles process compile lengths names options api links snippets targets exports; do
  find_faults < <("check_$check")
done
tests/hardening.sh || find_fault tests/hardening.sh "see above"
tests/install.sh || find_fault tests/install.sh "see above"

if ((findings)); then
  echo "check: $findings findings" >&2
  exit 1
fi
echo "check: all is well"
