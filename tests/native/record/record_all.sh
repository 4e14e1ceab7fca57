#!/bin/sh
# Records anew everything under tests/traces that record_trace made:
#   tests/native/record/record_all.sh BUILD/bin OUTDIR
# The programs see a file system of neutral names, and no terminal.
set -eu
bin=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)

work=/tmp/recorded
rm -rf "$work"
mkdir -p "$work"
cp "$bin"/recorded/* "$work"
cd "$work"
awk 'BEGIN { x = 1; for (i = 0; i < 200000; i++) {
  x = (x * 1103515245 + 12345) % 2147483648; print x } }' >lines

record() {
  name=$1
  shift
  rm -rf "${out:?}/$name"
  "$bin/record_trace" "$out/$name" -- "$@" </dev/null >/dev/null 2>&1
}

record ls ls
# shellcheck disable=SC2016  # the recorded shell is to expand it
record sh sh -c 'ls | wc -l; echo $((1+2))'
record python /usr/bin/python3 -c 'print(sum(range(1000)))'
record sort sort --parallel=4 lines
record threads ./threads
record threads-race ./threads race
record spawn ./spawn
record static ./heap_static
record static-pie ./heap_static_pie
record segv ./segv
rm -rf "$work"
