#!/usr/bin/env bash
# Is every shell script clean under shellcheck? Status 77 without shellcheck.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if ! command -v shellcheck >/dev/null; then
  echo "skipped: no shellcheck; deploy/setup.sh --lint installs it"
  exit 77
fi
mapfile -t scripts < <(find deploy tests client .ci .githooks \
  -name node_modules -prune -o -type f \
  \( -name '*.sh' -o -path '.ci/*' -o -path '.githooks/*' \) -print | sort)
shellcheck --external-sources "${scripts[@]}"
