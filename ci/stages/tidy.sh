#!/usr/bin/env bash
# tidy.sh - clang-tidy has nothing to say, by .clang-tidy, of our sources, tests included: each as the
# build for the fuzzer compiles it, which is clang's own.
#
#   ci/stages/tidy.sh [--all | FILE...]
#
# All of them take four minutes of one core. So a branch is asked for what has changed since it left
# main, with every source that includes a changed header, however indirectly; ci/nightly.sh asks for
# all, and so does a tree where there is nothing to compare with (main itself, no git), or where the
# settings have changed. Each file counts as one passed or failed.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

rooms=(engine kvs io-real io-sim sim fuzz bench)

# The largest first, so that the last ones to end are short.
all() { find "${rooms[@]}" -name '*.c' -printf '%s %p\n' | sort -k1,1nr -k2 | cut -d' ' -f2; }

# The commit at which this branch left main; fails when it is main, or nobody knows.
base() {
    local main at
    for main in origin/main main; do
        at=$(git merge-base HEAD "$main" 2>/dev/null) || continue
        [ "$at" != "$(git rev-parse HEAD)" ] && say "$at" && return 0
    done
    return 1
}

# changed FOLDER: what differs from the base, into FOLDER/changed, with all that includes any of it.
changed() {
    local at before=-1 now=0
    at=$(base) && git diff --name-only "$at" >"$1/changed" &&
        git ls-files --others --exclude-standard >>"$1/changed" || return 1
    grep -qE '^(\.clang-tidy|ci/stages/tidy\.sh|CMakePresets\.json|(.*/)?CMakeLists\.txt)$' "$1/changed" && return 1
    while [ "$now" -ne "$before" ]; do
        before=$now
        sed -n 's/.*\.\(h\|def\)$/#include "&"/p' "$1/changed" >"$1/includes"
        [ ! -s "$1/includes" ] || grep -rlFf "$1/includes" "${rooms[@]}" --include='*.[ch]' >>"$1/changed"
        sort -u -o "$1/changed" "$1/changed"
        now=$(wc -l <"$1/changed")
    done
}

one() { # one FILE: a mark at the end tells that it is clean.
    local name=${1//\//_}
    if nice clang-tidy -p build/fuzz --quiet --warnings-as-errors='*' "$1" \
        >"$work/$name.out" 2>"$work/$name.err"; then
        : >"$work/$name.clean"
    else
        cat "$work/$name.out"
        grep -v 'warnings\{0,1\} generated\|treated as error' "$work/$name.err"
    fi
}

# libraft-dev: a benchmark includes its header.
install_missing "${BUILD_PACKAGES[@]}" clang clang-tidy libclang-rt-14-dev libfuzzer-14-dev libraft-dev >&2
cd "$TOP" || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if ! cmake --preset fuzz >"$work/cmake" 2>&1; then
    tail -20 "$work/cmake"
    say "0 passed, 1 failed"
    exit 0
fi
if [ $# -gt 0 ] && [ "$1" != --all ]; then
    sources=("$@")
elif [ $# -eq 0 ] && changed "$work"; then
    mapfile -t sources < <(all | grep -xFf "$work/changed")
else
    mapfile -t sources < <(all)
fi
say "${#sources[@]} of $(all | wc -l) sources"
if [ ${#sources[@]} -eq 0 ]; then
    say "1 passed, 0 failed" # Nothing of it concerns clang-tidy.
    exit 0
fi
export -f one
export work
printf '%s\0' "${sources[@]}" | xargs -0 -P "$(jobs_count)" -I{} bash -c 'one "$1"' one {}
good=$(find "$work" -name '*.clean' | wc -l)
say "$good passed, $((${#sources[@]} - good)) failed"
