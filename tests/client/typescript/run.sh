#!/usr/bin/env bash
# Runs the tests of the Node client; status 77 (skipped) where it is not built.
#   tests/client/typescript/run.sh DIRECTORY
set -euo pipefail

package=$1
if [[ ! -e $package/tests-built/built ]]; then
  echo "skipped: the Node client is not built; deploy/setup.sh --node installs" \
    "what it needs, then build again"
  exit 77
fi
exec node --test "$package"/tests-built/*_test.js
