#!/usr/bin/env bash
# checker_mutants.sh - is the checker's own test any good? Each ci/mutants/checker/NN-name.patch puts a
# bug into the checker; test_brute must find every one.
#
#   ci/checker_mutants.sh [NN...]
#
# A row for each: name, and the history that gave it away (0: every small one is tried in order). Exit
# status 1 when one survives or a patch does not apply.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

install_missing "${BUILD_PACKAGES[@]}" patch
work=$(mktemp -d -t gandalf-checker-XXXXXX)
trap 'rm -rf "$work"' EXIT
(cd "$TOP" && git ls-files -z --cached --others --exclude-standard | xargs -0 cp -p --parents -t "$work" 2>/dev/null)
(cd "$work" && cmake -G Ninja -B build -S . -DCMAKE_BUILD_TYPE=Release >/dev/null) || die "cmake fails"
build() { cmake --build "$work/build" --target test_brute >"$work/log" 2>&1; }
try() { "$work/build/sim/test/test_brute" 100000 && "$work/build/sim/test/test_brute" all 3 13 &&
    "$work/build/sim/test/test_brute" long 40000 2 &&
    "$work/build/sim/test/test_brute" long 40000 6; }
build || { tail -20 "$work/log"; die "the clean tree does not build"; }
try >"$work/said" 2>&1 || { head -3 "$work/said"; die "the clean tree fails"; }
bad=0
good=0
for patch in "$TOP"/ci/mutants/checker/*.patch; do
    name=$(basename "$patch" .patch)
    [ $# -eq 0 ] || printf '%s\n' "$@" | grep -qx "${name%%-*}" || continue
    if ! patch -d "$work" -p1 -s --no-backup-if-mismatch <"$patch" >/dev/null; then
        say "$name: DOES NOT APPLY"
        bad=$((bad + 1))
        continue
    fi
    if ! build; then
        say "$name: DOES NOT BUILD"
        bad=$((bad + 1))
    elif try >"$work/said" 2>&1; then
        say "$name: SURVIVED"
        bad=$((bad + 1))
    else
        say "$name: $(grep -v '^{' "$work/said" | tail -1)"
        good=$((good + 1))
    fi
    patch -d "$work" -p1 -R -s --no-backup-if-mismatch <"$patch"
done
say "$good passed, $bad failed"
[ $((good + bad)) -gt 0 ] || die "no such mutant: $*"
[ "$bad" -eq 0 ]
