#!/usr/bin/env bash
# identity.sh - one seed is one run, whoever built the program and wherever memory lies: the hashes of
# all events of some seeds (200, or GANDALF_IDENTITY_SEEDS=A..B) from gcc -O0 and from clang -O3, and
# from the latter with the addresses randomized and not. Where the system does not let them be fixed, the
# last line says so behind its figures.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

install_missing "${BUILD_PACKAGES[@]}" clang util-linux >&2
seeds=${GANDALF_IDENTITY_SEEDS:-1..200}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
good=0
bad=0
left_out=

make_one() { # make_one NAME COMPILER FLAGS
    (cd "$TOP" && cmake -G Ninja -B "build/identity-$1" -S . -DCMAKE_BUILD_TYPE=None -DCMAKE_C_COMPILER="$2" \
        -DCMAKE_C_FLAGS="$3" && nice cmake --build "build/identity-$1" --target gandalf-sim) >"$work/$1.build" 2>&1 && return 0
    tail -30 "$work/$1.build"
    return 1
}

hashes() { # hashes NAME OUT [BEFORE...]
    local name=$1 out=$2
    shift 2
    "$@" "$TOP/build/identity-$name/sim/gandalf-sim" run --seeds "$seeds" --jobs "$(jobs_count)" --no-marks 2>&1 |
        grep '^seed=' | sed 's/ reason:.*//' >"$out"
}

compare() { # compare WHAT FILE FILE
    if [ -s "$2" ] && cmp -s "$2" "$3"; then
        good=$((good + 1))
    else
        bad=$((bad + 1))
        say "$1: not the same runs"
        diff "$2" "$3" | head -6
    fi
}

if make_one gcc gcc -O0 && make_one clang clang -O3; then
    hashes gcc "$work/gcc"
    hashes clang "$work/clang"
    compare "gcc -O0 and clang -O3" "$work/gcc" "$work/clang"
    if setarch -R true 2>/dev/null; then
        hashes clang "$work/fixed" setarch -R
        compare "addresses randomized and not" "$work/clang" "$work/fixed"
    else
        left_out=", left out: the system does not let addresses be fixed (setarch -R)"
    fi
    say "$(wc -l <"$work/clang") seeds each"
else
    bad=1
fi
say "$good passed, $bad failed$left_out"
