#!/usr/bin/env bash
# Sets up, builds and tests everything; .ci/run is this script.
set -euo pipefail
# shellcheck source=deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

help() {
  cat <<'END'
usage: deploy/test.sh [--quick] [--preset NAME] [--jobs N] [--match REGEX]

Installs what is missing, builds, and runs every test: unit, end to end, and
the lint. The last lines are ctest's count of them.

  --quick         leave out the tests labelled `slow`, and install nothing for
                  the lint and the Node client (what is missing is skipped)
  --preset NAME   dev (the default), release, asan or tsan
  --jobs N        how many compilers and tests run at once (default: cores)
  --match REGEX   only the tests whose name matches, as in ctest -R
  --help          this text
END
}

quick=no preset=dev jobs=$(nproc) match=()
while (($#)); do
  case $1 in
    --quick) quick=yes ;;
    --preset | --jobs | --match)
      (($# > 1)) || usage_error "$1 wants a value"
      case $1 in
        --preset) preset=$2 ;;
        --jobs) jobs=$2 ;;
        --match) match=(--tests-regex "$2") ;;
      esac
      shift
      ;;
    -h | --help) help && exit 0 ;;
    *) usage_error "unknown argument '$1'" ;;
  esac
  shift
done
case $preset in
  dev | release | asan | tsan) ;;
  *) usage_error "there is no preset '$preset' to test: dev, release, asan, tsan" ;;
esac
[[ $jobs =~ ^[1-9][0-9]*$ ]] || usage_error "--jobs wants a number, not '$jobs'"

setup=() leave_out=()
if [[ $quick = yes ]]; then
  leave_out=(--label-exclude '^slow$')
else
  setup=(--lint --node)
fi

"$ROOT/deploy/setup.sh" "${setup[@]}"
build_preset "$preset" "$jobs"
say "test: preset $preset"
progress=()
if [[ -t 1 ]]; then
  progress=(--progress)
fi
cd "$ROOT"
exec ctest --preset "$preset" --parallel "$jobs" --no-label-summary \
  "${progress[@]}" "${leave_out[@]}" "${match[@]}" </dev/null
