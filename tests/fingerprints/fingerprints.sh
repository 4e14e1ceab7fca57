#!/usr/bin/env bash
# Do all compilers make the same machine? Builds the machine and `fingerprints`
# in each configuration, with nothing else, and compares what they print.
#   tests/fingerprints/fingerprints.sh [FIRST LAST [COMMANDS]]
# Everything is made in build/fingerprints. JOBS=N builds N files at a time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

seeds=(1 40 2000)
if (($# > 0)); then seeds=("$@"); fi
jobs=${JOBS:-2}
out=build/fingerprints
mapfile -t sources < <(find server/machine -name '*.cc' | sort)
sources+=(tests/machine/campaign.cc tests/fingerprints/lives.cc
  tests/fingerprints/fingerprints_main.cc)
wrapper=(env)
if command -v ccache >/dev/null; then wrapper=(ccache); fi

# build NAME COMPILER FLAG...
build() {
  local name=$1 compiler=$2 running=0 source
  shift 2
  local flags=(-std=c++20 -I. "$@")
  rm -rf "${out:?}/$name"
  mkdir -p "$out/$name"
  for source in "${sources[@]}"; do
    if ((running >= jobs)); then
      wait -n
      running=$((running - 1))
    fi
    "${wrapper[@]}" "$compiler" "${flags[@]}" -c "$source" \
      -o "$out/$name/$(tr / _ <<<"$source").o" &
    running=$((running + 1))
  done
  for (( ; running > 0; running--)); do wait -n; done
  "$compiler" "${flags[@]}" -o "$out/$name/fingerprints" "$out/$name"/*.o
}

sanitizers="address,undefined"
sanitize=(-O1 -g1 "-fsanitize=$sanitizers" -fno-sanitize-recover=all)
status=0
check() {
  build "$@"
  "$out/$1/fingerprints" "${seeds[@]}" >"$out/$1.txt"
  if [[ ! -e $out/expected.txt ]]; then cp "$out/$1.txt" "$out/expected.txt"; fi
  if cmp -s "$out/expected.txt" "$out/$1.txt"; then
    echo "$1: same ($(wc -l <"$out/$1.txt") machines)"
  else
    echo "$1: DIFFERENT"
    diff "$out/expected.txt" "$out/$1.txt" | head -4
    status=1
  fi
}

rm -f "$out/expected.txt"
check gcc-O0 g++ -O0
check gcc-O3 g++ -O3
check gcc-sanitizers g++ "${sanitize[@]}"
clang=$(command -v clang++ || command -v clang++-14 || true)
if [[ -n $clang ]]; then
  check clang-O0 "$clang" -O0
  check clang-O3 "$clang" -O3
  check clang-sanitizers "$clang" "${sanitize[@]}"
else
  echo "clang: skipped, not installed"
fi
exit $status
