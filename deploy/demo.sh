#!/usr/bin/env bash
# Sets up, builds the release and shows what Faultline is for.
set -euo pipefail
# shellcheck source=deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

help() {
  cat <<'END'
usage: deploy/demo.sh [--jobs N]

Installs what is missing, builds the release, and runs the demonstration: a
real program is recorded with strace, re-enacted on a simulated machine over
gRPC and compared with the real /proc/PID/maps; the server is killed, started
again, and the session is replayed from its database.

  --jobs N   how many compilers run at once (default: one per core)
  --help     this text
END
}

jobs=$(nproc)
while (($#)); do
  case $1 in
    --jobs)
      (($# > 1)) || usage_error "$1 wants a value"
      jobs=$2
      shift
      ;;
    -h | --help) help && exit 0 ;;
    *) usage_error "unknown argument '$1'" ;;
  esac
  shift
done
[[ $jobs =~ ^[1-9][0-9]*$ ]] || usage_error "--jobs wants a number, not '$jobs'"

"$ROOT/deploy/setup.sh"
build_preset release "$jobs" --target faultline record_trace

bin=$ROOT/build/release/bin
work=$(mktemp -d "${TMPDIR:-/tmp}/faultline-demo.XXXXXX")
server=
finish() {
  [[ -z $server ]] || kill "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

# Starts the server on a port of its own choosing; sets server and address.
start_server() {
  "$bin/faultline" serve --data "$work/data" --listen 127.0.0.1:0 \
    >"$work/serve.log" 2>&1 &
  server=$!
  disown "$server"
  for _ in $(seq 100); do
    address=$(sed -n 's/^listening on //p' "$work/serve.log")
    [[ -z $address ]] || return 0
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  die "the server did not start" "$(cat "$work/serve.log")"
}

say "record: a real program under strace, with the maps the kernel really gave it"
# shellcheck disable=SC2016  # the recorded shell expands it
program=(/bin/sh -c 'ls / | wc -l; echo $((1 + 2))')
trace=$work/trace
status=0
"$bin/record_trace" "$trace" -- "${program[@]}" >"$work/program.out" \
  2>"$work/record.log" || status=$?
if ((status == 0)); then
  echo "recorded: ${program[*]}"
  echo "its output: $(tr '\n' ' ' <"$work/program.out")"
else
  trace=$ROOT/tests/traces/6.18/sh
  echo "not possible here: $(tail -n 1 "$work/record.log")"
  echo "using the recording that ships with the project: tests/traces/6.18/sh"
fi
awk '!/^#/ && n++ < 4' "$trace/strace.txt" | cut -c 1-110
echo "... $(wc -l <"$trace/strace.txt") lines"

say "serve: a server with an empty data directory"
start_server
echo "listening on $address"

say "re-enact: call by call on a simulated machine, over gRPC"
status=0
"$bin/faultline" import strace "$trace" --server "$address" --session demo \
  --show-maps >"$work/import.txt" || status=$?
((status <= 1)) || die "the import failed with status $status"
# One life in full: what the kernel showed, and what the simulator computed.
life=$(sed -n 's/^simulated maps of //p' "$work/import.txt" | tail -n 1)
sed -n "/^simulated maps of $life\$/,/vsyscall/p" "$work/import.txt" |
  tail -n +2 >"$work/simulated.maps"
real=$trace/snap/$life.maps
echo "/proc/PID/maps of process ${life%%.*} at its end:"
echo "  kernel:    $(wc -l <"$real") lines"
echo "  simulated: $(wc -l <"$work/simulated.maps") lines, the first and the last of them:"
sed -n '1,4p;$p' "$work/simulated.maps" | sed 's/^/    /'
if diff -q "$real" "$work/simulated.maps" >/dev/null; then
  echo "  equal, byte for byte"
else
  diff "$real" "$work/simulated.maps" | head -n 20 || true
  echo "  DIFFERENT as shown (< kernel, > simulated)"
fi
sed '/^simulated maps of /,/vsyscall/d' "$work/import.txt"

say "kill: the server dies by SIGKILL, without a chance to save anything"
kill -KILL "$server"
while kill -0 "$server" 2>/dev/null; do sleep 0.05; done
start_server
echo "a new server on the same data directory: $address"
"$bin/faultline" session list --server "$address"

say "verify: replay the session from the database, compare every outcome"
"$bin/faultline" verify demo --server "$address" || status=$?
if ((status != 0)); then
  die "the demonstration ended with differences"
fi
say "done. README.md has a tour of what else can be asked"
