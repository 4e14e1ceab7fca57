#!/usr/bin/env bash
# Builds the release and measures the simulator against the real kernel.
set -euo pipefail
# shellcheck source=deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

help() {
  cat <<'END'
usage: deploy/bench.sh [--jobs N] [BENCH ARGUMENT ...]

Installs what is missing, builds the release, and prints one JSON line for each
measurement:
  {"name","ours","reference","unit","ratio","wanted","of","met"}
Both sides are measured in turn. "wanted" is a bound of "ratio" or of "ours", as
"of" says. Progress goes to standard error.

  --jobs N          how many compilers run at once (default: cores)
  --only NAME ...   only these measurements
  --seconds S       for each measurement (default 3)
  --check           exit code 1 when a wanted bound is not met
  --help            this text
END
}

jobs=$(nproc) arguments=()
while (($#)); do
  case $1 in
    --jobs)
      (($# > 1)) || usage_error "$1 wants a value"
      jobs=$2
      shift
      ;;
    -h | --help) help && exit 0 ;;
    *) arguments+=("$1") ;;
  esac
  shift
done
[[ $jobs =~ ^[1-9][0-9]*$ ]] || usage_error "--jobs wants a number, not '$jobs'"

"$ROOT/deploy/setup.sh" >&2
build_preset release "$jobs" --target bench >&2
"$ROOT/build/release/bin/bench" "${arguments[@]}"
