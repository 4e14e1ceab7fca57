#!/usr/bin/env bash
# Installs what Faultline is built and tested with, from Debian's packages
# (and buf and the Node client's packages from npm). Runs again at no cost: what
# is there is left alone.
set -euo pipefail
# shellcheck source=deploy/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

BUF_VERSION=1.75.0
BUF_HOME=$ROOT/build/tools/buf
NODE_HOME=$ROOT/build/tools/typescript

help() {
  cat <<'END'
usage: deploy/setup.sh [--lint] [--node] [--tidy] [--check]

Installs what is missing of the tools and libraries that Faultline needs, with
apt-get, as root or through sudo. Made for Debian 12 (bookworm); elsewhere it
says what is missing.

  --lint    also what the lint needs: clang-format, shellcheck, and buf (npm)
  --node    also what the Node client needs: node, npm, and its npm packages
  --tidy    also clang and clang-tidy, for the preset `tidy` (large)
  --check   install nothing; say what is missing, with status 1
  --help    this text
END
}

want_lint=no want_node=no want_tidy=no only_check=no
while (($#)); do
  case $1 in
    --lint) want_lint=yes ;;
    --node) want_node=yes ;;
    --tidy) want_tidy=yes ;;
    --check) only_check=yes ;;
    -h | --help) help && exit 0 ;;
    *) usage_error "unknown argument '$1'" ;;
  esac
  shift
done

# Each need: how to see that it is met, and the Debian package that meets it.
# We look for the thing, not for the package, so that a tool that came from
# elsewhere (node, a newer CMake) is good enough.
missing=()       # packages
missing_what=()  # the same, in words that fit any distribution

needs() {
  local package=$1 what=$2
  shift 2
  if ! "$@" >/dev/null 2>&1; then
    missing+=("$package")
    missing_what+=("$what")
  fi
}
has_command() { command -v "$1"; }
has_library() { pkg-config --exists "$1"; }
needs_command() { needs "${2:-$1}" "the command $1" has_command "$1"; }
# The interpreter that has it need not be the first on the path.
has_python_module() {
  python3 -c "import $1" || /usr/bin/python3 -c "import $1"
}
needs_module() { needs "$2" "the Python module $1" has_python_module "$1"; }
needs_library() { needs "$2" "the library $3" has_library "$1"; }

look() {
  missing=() missing_what=()
  needs_command g++
  needs_command cmake
  needs_command ninja ninja-build
  needs_command ccache
  needs_command mold
  needs_command git
  needs_command pkg-config pkgconf
  needs_command python3
  needs_module grpc python3-grpcio
  needs_module google.protobuf python3-protobuf
  needs_command strace
  needs_command protoc protobuf-compiler
  needs_command grpc_cpp_plugin protobuf-compiler-grpc
  needs_library protobuf libprotobuf-dev "protobuf (3.21)"
  needs_library grpc++ libgrpc++-dev "gRPC C++ (1.51)"
  needs_library absl_status libabsl-dev "Abseil (20220623)"
  needs_library sqlite3 libsqlite3-dev "SQLite (3.40)"
  needs_library gtest libgtest-dev "GoogleTest (1.12)"
  needs_library gmock libgmock-dev "GoogleMock (1.12)"
  needs_library CLI11 libcli11-dev "CLI11 (2.1)"
  needs_library libedit libedit-dev "libedit (3.1)"
  needs_library zlib zlib1g-dev "zlib (1.2)"
  needs_library libzstd libzstd-dev "Zstandard (1.5)"
  needs_library nlohmann_json nlohmann-json3-dev "nlohmann JSON (3.11)"
  needs_library libcrypto libssl-dev "OpenSSL (3.0)"
  needs_library yaml-cpp libyaml-cpp-dev "yaml-cpp (0.7)"
  if [[ $want_lint = yes ]]; then
    needs_command clang-format-14
    needs_command shellcheck
  fi
  if [[ $want_lint = yes || $want_node = yes ]]; then
    needs_command node nodejs
    needs_command npm
    needs ca-certificates "root certificates for HTTPS" \
      test -s /etc/ssl/certs/ca-certificates.crt
  fi
  if [[ $want_tidy = yes ]]; then
    needs_command clang++-14 clang-14
    needs_command clang-tidy-14
  fi
}

list_missing() {
  local i
  for i in "${!missing[@]}"; do
    printf '  %-34s Debian package %s\n' "${missing_what[i]}" "${missing[i]}"
  done
}

# Sets the array `root` to what runs a command as root.
become_root() {
  root=()
  if ((EUID == 0)); then
    return
  fi
  local command="apt-get install ${missing[*]}"
  has_command sudo >/dev/null ||
    die "missing packages, and neither root nor sudo to install them" \
      "as root, run: $command"
  if [[ -t 0 && -t 2 ]]; then
    root=(sudo)
  elif sudo -n true 2>/dev/null; then
    root=(sudo -n)
  else
    die "missing packages, and sudo wants a password but there is no terminal" \
      "on a terminal, run: sudo $command"
  fi
}

# Runs apt-get with its output in the log.
apt() {
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
    apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 \
    -o Acquire::Retries=3 "$@" >>"$log" 2>&1 </dev/null
}

install_packages() {
  local root
  if ! has_command apt-get >/dev/null; then
    {
      printf 'deploy/setup.sh: error: this system has no apt-get; '
      printf 'install these, then run it again:\n'
      list_missing
    } >&2
    exit 1
  fi
  become_root
  say "setup: installing from Debian: ${missing[*]}"
  mkdir -p "$ROOT/build"
  log=$ROOT/build/setup.log
  : >"$log"
  # Lists that cannot be refreshed may still do, so only the install decides.
  apt update || say "setup: the package lists could not be refreshed"
  if ! apt install --no-install-recommends "${missing[@]}"; then
    tail -n 15 "$log" >&2
    die "apt-get could not install: ${missing[*]}" \
      "its whole output is in $log" \
      "check the network and /etc/apt/sources.list; the packages are those of" \
      "Debian 12, and this is $(system_name)"
  fi
}

system_name() {
  # shellcheck source=/dev/null
  (source /etc/os-release 2>/dev/null && echo "${PRETTY_NAME:-unknown}") ||
    echo "a system without /etc/os-release"
}

buf_is_there() {
  local buf=$BUF_HOME/node_modules/.bin/buf
  [[ -x $buf && $("$buf" --version 2>/dev/null) = "$BUF_VERSION" ]]
}

install_buf() {
  say "setup: installing buf $BUF_VERSION from npm"
  mkdir -p "$BUF_HOME"
  if ! (cd "$BUF_HOME" && npm install --prefix "$BUF_HOME" --no-save \
    --no-audit --no-fund --loglevel=error --prefer-offline \
    "@bufbuild/buf@$BUF_VERSION") >"$BUF_HOME/npm.log" 2>&1 </dev/null; then
    tail -n 15 "$BUF_HOME/npm.log" >&2
    die "npm could not install @bufbuild/buf@$BUF_VERSION" \
      "its output is in $BUF_HOME/npm.log; is the npm registry within reach?" \
      "without it, deploy/test.sh --quick tests everything but the lint"
  fi
  buf_is_there ||
    die "@bufbuild/buf@$BUF_VERSION is installed in $BUF_HOME but does not run"
}

# Are the packages those that the Node client's lock file names?
node_packages_are_there() {
  [[ -d $NODE_HOME/node_modules ]] &&
    cmp -s "$ROOT/client/typescript/package-lock.json" \
      "$NODE_HOME/installed-lock.json"
}

install_node_packages() {
  say "setup: installing the packages of the Node client from npm"
  mkdir -p "$NODE_HOME"
  rm -f "$NODE_HOME/installed-lock.json"
  cp "$ROOT"/client/typescript/package{,-lock}.json "$NODE_HOME"
  if ! (cd "$NODE_HOME" && npm ci --ignore-scripts --no-audit --no-fund \
    --loglevel=error --prefer-offline) >"$NODE_HOME/npm.log" 2>&1 </dev/null; then
    tail -n 15 "$NODE_HOME/npm.log" >&2
    die "npm could not install the packages of client/typescript" \
      "its output is in $NODE_HOME/npm.log; is the npm registry within reach?" \
      "without them, deploy/test.sh --quick tests everything but the Node client"
  fi
  cp "$NODE_HOME/package-lock.json" "$NODE_HOME/installed-lock.json"
}

look
if [[ $only_check = yes ]]; then
  if ((${#missing[@]})); then
    echo "missing:"
    list_missing
  fi
  if [[ $want_lint = yes ]] && ! buf_is_there; then
    echo "missing: buf $BUF_VERSION (npm package @bufbuild/buf)"
    exit 1
  fi
  if [[ $want_node = yes ]] && ! node_packages_are_there; then
    echo "missing: the npm packages of client/typescript/package-lock.json"
    exit 1
  fi
  ((${#missing[@]} == 0)) || exit 1
  exit 0
fi
if ((${#missing[@]})); then
  install_packages
  hash -r
  look
  ((${#missing[@]} == 0)) ||
    die "still missing after the installation: ${missing_what[*]}" \
      "apt-get's output is in $ROOT/build/setup.log"
fi
if [[ $want_lint = yes ]] && ! buf_is_there; then
  install_buf
fi
if [[ $want_node = yes ]] && ! node_packages_are_there; then
  install_node_packages
fi
