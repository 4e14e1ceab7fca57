#!/bin/sh
# record_trace on this machine: what it leaves behind, and how it refuses.
#   record_test.sh BIN        BIN holds record_trace and recorded/
# Exits 77 (skipped) where recording is forbidden.
set -eu
record=$1/record_trace
programs=$1/recorded
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# run NAME STATUS COMMAND...: record_trace must answer STATUS.
run() {
  name=$1
  wanted=$2
  shift 2
  status=0
  "$record" "$@" >"$name.out" 2>"$name.err" || status=$?
  if [ "$status" = 77 ]; then
    cat "$name.err"
    exit 77
  fi
  [ "$status" = "$wanted" ] ||
    fail "$name: status $status, wanted $wanted: $(cat "$name.err")"
}

holds() { grep -q -e "$2" "$1" || fail "$1 does not hold: $2"; }

run true 0 t -- true
holds t/strace.txt 'execve("/usr/bin/true", \["true"\]'
holds t/strace.txt '+++ exited with 0 +++'
holds t/snap/1.exec1.maps '\[vdso\]'
holds t/snap/1.exit1.maps '7ffff7ffb000-.* /.*/ld-linux-x86-64.so.2'
holds t/snap/1.exit1.status 'VmPeak'
holds t/snap/elf/index.tsv '/usr/bin/true.*true.elfhdr'
holds t/snap/elf/ld-linux-x86-64.so.2.elfhdr 'ELF'
holds t/about.txt 'command: true'
[ -z "$(cat true.err)" ] || fail "unexpected words: $(cat true.err)"

run spawn 0 s -- "$programs/spawn"
for n in 2 3 4; do
  holds "s/snap/$n.exit0.maps" 'recorded/spawn'
  holds "s/snap/$n.exit1.maps" '/true$'
done
[ "$(wc -l <s/snap/tasks.tsv)" = 4 ] || fail "spawn has four tasks"

run threads 0 h -- "$programs/threads"
[ "$(wc -l <h/snap/tasks.tsv)" = 5 ] || fail "threads has five tasks"
for n in 2 3 4 5; do
  [ ! -e "h/snap/$n.exit0.maps" ] || fail "thread $n has maps of its own"
done

run segv 0 --smaps v -- "$programs/segv"
holds v/strace.txt '+++ killed by SIGSEGV'
holds v/snap/1.exit1.maps ' r--p 00000000 00:00 0 $'
holds v/snap/1.exit1.smaps 'Rss:'

run status 0 x -- sh -c 'exit 3'
holds x/strace.txt '+++ exited with 3 +++'

run missing 1 m -- no-such-program
holds missing.err 'nothing was recorded of no-such-program'
run slow 1 --timeout 1 l -- sleep 30
holds slow.err 'did not end within 1 s'
run usage 2 --bogus
holds usage.err '^usage: record_trace'
run nothing 2 d --
echo plain >file
run directory 1 file/sub -- true
holds directory.err 'cannot create file/sub'
status=0
PATH=/nowhere "$record" n -- /bin/true 2>nostrace.err || status=$?
[ "$status" = 77 ] || fail "without strace: status $status"
holds nostrace.err 'apt-get install strace'
echo ok
