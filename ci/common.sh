# common.sh - what ci/start.sh and ci/test.sh share; sourced, never run.
# Needs nothing but bash and, where something has to be installed, apt-get and root or sudo.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*"; }
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "installing packages needs root: run it as root, or install sudo"
    fi
}

# install_missing PACKAGE...: asks the network only when something is missing.
install_missing() {
    local package missing=()
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
            missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    say "installing: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    as_root apt-get -qq update || say "apt-get update failed; trying with what is known"
    as_root apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null ||
        die "could not install ${missing[*]}: see apt-get's message above"
}

BUILD_PACKAGES=(gcc libc6-dev cmake ninja-build pkg-config libuv1-dev libyaml-dev libcmocka-dev
    libedit-dev libsqlite3-dev)

jobs_count() { nproc 2>/dev/null || echo 2; }

# build PRESET [CMAKE-OPTION...] [-- TARGET...]
build() {
    local preset=$1 options=() targets=()
    shift
    while [ $# -gt 0 ] && [ "$1" != "--" ]; do
        options+=("$1")
        shift
    done
    [ $# -gt 0 ] && shift && targets=(--target "$@")
    (cd "$TOP" && cmake --preset "$preset" "${options[@]}" >/dev/null &&
        cmake --build "build/$preset" -j "$(jobs_count)" "${targets[@]}")
}
