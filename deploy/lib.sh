# shellcheck shell=bash
# What deploy/*.sh share: where the project is, how to speak, how to fail.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# One line of progress, in colour only on a terminal.
say() {
  if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
    printf '\033[1m==> %s\033[0m\n' "$*"
  else
    printf '==> %s\n' "$*"
  fi
}

# die MESSAGE...: each argument is a line; the script ends with status 1.
die() {
  printf '%s: error: %s\n' "deploy/$(basename "$0")" "$1" >&2
  shift
  (($# == 0)) || printf '  %s\n' "$@" >&2
  exit 1
}

# usage_error MESSAGE: for a wrong command line; status 2.
usage_error() {
  printf 'deploy/%s: error: %s\n' "$(basename "$0")" "$1" >&2
  printf '  deploy/%s --help lists what it takes\n' "$(basename "$0")" >&2
  exit 2
}

# Configures and builds one preset; a fresh tree needs nothing before it.
build_preset() {
  local preset=$1 jobs=$2
  shift 2
  say "configure: preset $preset"
  (cd "$ROOT" && cmake --preset "$preset" -Wno-dev --log-level=WARNING)
  say "build: preset $preset, $jobs jobs"
  (cd "$ROOT" && cmake --build --preset "$preset" --parallel "$jobs" "$@")
}
