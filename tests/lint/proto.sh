#!/usr/bin/env bash
# Does proto/ keep buf's STANDARD rules? Status 77 (skipped) without buf.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

buf=build/tools/buf/node_modules/.bin/buf
if [[ ! -x $buf ]] && ! buf=$(command -v buf); then
  echo "skipped: no buf; deploy/setup.sh --lint installs it"
  exit 77
fi
"$buf" lint proto
