#!/usr/bin/env bash
# Makes the Node package in a directory: the contract's code is generated from
# proto/, the sources are compiled, and what is there can be installed.
#   client/typescript/build.sh DIRECTORY
# Where Node or its packages are missing it says so and makes nothing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
packages=$root/build/tools/typescript
output=$1

skip() {
  echo "skipped: the Node client is not built: $1; deploy/setup.sh --node" \
    "installs what it needs"
  rm -rf "$output/dist"
  exit 0
}
command -v node >/dev/null || skip "there is no node"
[[ -d $packages/node_modules ]] || skip "there are no Node packages"
cmp -s "$here/package-lock.json" "$packages/installed-lock.json" ||
  skip "the Node packages are not those of package-lock.json"

rm -rf "${output:?}/src" "$output/dist"
mkdir -p "$output/src/gen"
cp -r "$here"/{src,examples,interop,README.md,package.json,tsconfig.json} \
  "$output"
ln -sfn "$packages/node_modules" "$output/node_modules"

cd "$root/proto"
mapfile -t protos < <(find faultline google -name '*.proto' | sort)
protoc --proto_path=. \
  --plugin="$packages/node_modules/.bin/protoc-gen-es" \
  --es_out="$output/src/gen" --es_opt=target=ts,import_extension=js \
  "${protos[@]}"
cd "$output"
node_modules/.bin/tsc --project .
