#!/usr/bin/env bash
# nightly.sh - what takes too long for every change: a long sweep, every mutant, every fuzz target.
#
#   ci/nightly.sh [--seeds A..B] [--fuzz SECONDS] [--mutant SECONDS] [sweep] [mutants] [fuzz]
#
# Without a stage's name all three run. Exit status 1 when any of them found something.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

seeds=1..100000
fuzz_seconds=600
mutant_seconds=300
stages=()
while [ $# -gt 0 ]; do
    case $1 in
    --seeds) seeds=$2; shift ;;
    --fuzz) fuzz_seconds=$2; shift ;;
    --mutant) mutant_seconds=$2; shift ;;
    sweep | mutants | fuzz) stages+=("$1") ;;
    *) die "unknown word $1: usage: nightly.sh [--seeds A..B] [--fuzz S] [--mutant S] [sweep] [mutants] [fuzz]" ;;
    esac
    shift
done
[ ${#stages[@]} -gt 0 ] || stages=(sweep mutants fuzz)

install_missing "${BUILD_PACKAGES[@]}"
passed=0
failed=0
for stage in "${stages[@]}"; do
    say "== $stage"
    case $stage in
    sweep)
        build release -- gandalf-sim >/dev/null &&
            "$TOP/build/release/sim/gandalf-sim" run --seeds "$seeds" --jobs "$(jobs_count)" | tail -120
        ;;
    mutants) "$TOP/ci/mutants.sh" --seconds "$mutant_seconds" --jobs "$(jobs_count)" ;;
    fuzz) "$TOP/ci/fuzz.sh" "$fuzz_seconds" ;;
    esac
    if [ $? -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
say "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
