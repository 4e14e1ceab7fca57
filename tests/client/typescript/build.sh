#!/usr/bin/env bash
# Compiles the tests against the package in a directory, as a program that uses
# the package would be; nothing when the package is not built.
#   tests/client/typescript/build.sh DIRECTORY
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
package=$1

rm -rf "${package:?}/tests" "$package/tests-built"
if [[ ! -e $package/dist/index.js ]]; then
  exit 0
fi
mkdir "$package/tests"
cp "$here"/*.ts "$here/tsconfig.json" "$package/tests"
cd "$package"
node_modules/.bin/tsc --project tests
touch tests-built/built
