#!/usr/bin/env bash
# Sets up, builds the release and shows what Faultline is for.
set -euo pipefail
# shellcheck source=deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

help() {
  cat <<'END'
usage: deploy/demo.sh [--jobs N]

Installs what is missing, builds the release, and runs the demonstration.

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
build_preset release "$jobs"
