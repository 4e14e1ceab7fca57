#!/usr/bin/env bash
# Is the C++ formatted as .clang-format says? All of it, or the files named.
#   tests/lint/format.sh [--fix] [FILE...]
# Status 77 (skipped) where clang-format 14 is not installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

mode=(--dry-run --Werror)
if [[ ${1:-} = --fix ]]; then
  mode=(-i)
  shift
fi
if ! command -v clang-format-14 >/dev/null; then
  echo "skipped: no clang-format-14; deploy/setup.sh --lint installs it"
  exit 77
fi
files=("$@")
if ((${#files[@]} == 0)); then
  mapfile -t files < <(find server client storage tests \
    -name node_modules -prune -o \( -name '*.h' -o -name '*.cc' \) -print |
    sort)
fi
if ((${#files[@]} == 0)); then
  echo "no C++ to check"
  exit 0
fi
if ! clang-format-14 --style=file "${mode[@]}" "${files[@]}"; then
  echo "not formatted; to fix: tests/lint/format.sh --fix"
  exit 1
fi
