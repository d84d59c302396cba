#!/usr/bin/env bash
# testssl.sh: Debian's testssl(1) against the encrypted listener, once with an RSA certificate and once with an ECDSA one.
# `make testssl` runs it; any finding that is not named below fails it. BUILD is the folder of the build, as for make.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build}
for program in testssl openssl; do
  command -v "$program" >/dev/null || { echo "tests/testssl.sh: $program is missing: make testssl installs it" >&2; exit 1; }
done
dir=$(mktemp -d)
server=
end() {
  [[ -z $server ]] || kill "$server" 2>/dev/null || true
  rm -rf "$dir"
}
trap end EXIT

# What a certificate of our own, made for this run, can't have: somebody who revokes it, names it in the DNS or in a log.
# What the operator decides, not the server: HSTS is an option. And what this machine's openssl(1) lacks.
allowed='^(engine_problem|cert_(revocation|crlDistributionPoints|ocspURL|extlifeSpan|validityPeriod)|OCSP_stapling|DNS_CAArecord|certificate_transparency|HSTS)$'

openssl req -x509 -newkey rsa:2048 -nodes -days 90 -subj /CN=ca.test -keyout "$dir/ca.key" -out "$dir/ca.crt" 2>/dev/null
failed=0
for kind in rsa:2048 ec:prime256v1; do
  name=${kind%:*} key=(-newkey "$kind")
  [[ $name == rsa ]] || key=(-newkey ec -pkeyopt "ec_paramgen_curve:${kind#*:}")
  openssl req -x509 "${key[@]}" -nodes -days 90 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
    -addext basicConstraints=critical,CA:FALSE -addext keyUsage=critical,digitalSignature,keyEncipherment \
    -addext extendedKeyUsage=serverAuth -CA "$dir/ca.crt" -CAkey "$dir/ca.key" \
    -keyout "$dir/$name.key" -out "$dir/$name.crt" 2>/dev/null
  mkfifo "$dir/$name.pipe"
  "$build/charlua" --listen tls:127.0.0.1:0 --cert "$dir/$name.crt" --key "$dir/$name.key" 2>"$dir/$name.pipe" &
  server=$! port=
  exec 3<"$dir/$name.pipe"
  while [[ -z $port ]] && IFS= read -r line <&3; do
    echo "$line" >>"$dir/$name.log"
    port=$(sed -n 's/.*listening addr=tls:127.0.0.1:\([0-9]*\).*/\1/p' <<<"$line")
  done
  [[ -n $port ]] || { cat "$dir/$name.log" >&2; exit 1; }
  cat <&3 >>"$dir/$name.log" &
  testssl --quiet --color 0 --nodns none --ip 127.0.0.1 --add-ca "$dir/ca.crt" --warnings off -p -s -S -f -U -g \
    --jsonfile "$dir/$name.json" "localhost:$port" >"$dir/$name.txt" </dev/null || true
  kill "$server"
  wait "$server" || { cat "$dir/$name.log" >&2; failed=1; }
  server=
  [[ -s $dir/$name.json ]] || { cat "$dir/$name.txt" >&2; exit 1; }
  looked=$(grep -c '"id"' "$dir/$name.json")
  found=$(tr -d '\n' <"$dir/$name.json" | grep -oE '\{[^{}]*\}' |
    sed -nE 's/.*"id" *: *"([^"]*)".*"severity" *: *"(LOW|MEDIUM|HIGH|CRITICAL|WARN|FATAL)".*"finding" *: *"(.*)".*/\1 \2 \3/p' |
    awk -v allowed="$allowed" '{ id = $1; sub(/[ <].*/, "", id) } id !~ allowed' || true)
  if [[ -n $found ]]; then
    sed "s/^/testssl.sh: $name: /" <<<"$found" >&2
    failed=1
  else
    echo "testssl.sh: $name: nothing found, $looked things looked at"
  fi
done
exit "$failed"
