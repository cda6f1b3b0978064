#!/bin/sh
# Stores one KV-cache block of 122 layers (61 of 131072 bytes, 61 of 16384 bytes: 8994816 bytes),
# fetches it and compares digests. Needs curl and a running gateway.
#
#   examples/kv-block.sh [key]          GATEWAY_URL=http://127.0.0.1:8080
set -eu

gateway=${GATEWAY_URL:-http://127.0.0.1:8080}
key=${1:-examples/kv-block-$$}
object=$gateway/v1/objects/$key
block_bytes=8994816

fail() {
  printf 'kv-block: %s\n' "$*" >&2
  exit 1
}

digest_of() {
  if command -v sha256sum >/dev/null 2>&1; then sha256sum <"$1" | cut -d ' ' -f 1
  elif command -v shasum >/dev/null 2>&1; then shasum -a 256 <"$1" | cut -d ' ' -f 1
  else fail 'neither sha256sum nor shasum is installed'
  fi
}

# request <expected status> <curl arguments>: the body of the response goes to $work/answer.
request() {
  expected=$1
  shift
  status=$(curl -sS -o "$work/answer" -w '%{http_code}' "$@" 2>"$work/error") ||
    fail "no response from $gateway ($(cat "$work/error")); is the gateway running? npm start"
  [ "$status" = "$expected" ] ||
    fail "status $status, not $expected: $(head -c 1000 "$work/answer")"
}

command -v curl >/dev/null 2>&1 || fail 'curl is not installed'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

layers=0
while [ "$layers" -lt 122 ]; do
  if [ "$layers" -lt 61 ]; then layer_bytes=131072; else layer_bytes=16384; fi
  head -c "$layer_bytes" /dev/urandom >>"$work/block"
  layers=$((layers + 1))
done
[ "$(($(wc -c <"$work/block")))" -eq "$block_bytes" ] || fail 'could not make the block'
stored=$(digest_of "$work/block")
printf 'made     %s layers, %s bytes, sha-256 %s\n' "$layers" "$block_bytes" "$stored"

request 201 -T "$work/block" "$object"
printf 'stored   %s\n' "$key"

request 200 "$object"
fetched=$(digest_of "$work/answer")
printf 'fetched  %s bytes, sha-256 %s\n' "$(($(wc -c <"$work/answer")))" "$fetched"

request 204 -X DELETE "$object"
printf 'removed  %s\n' "$key"

[ "$fetched" = "$stored" ] || fail 'the digests differ'
echo 'the digests are equal'
