#!/usr/bin/env bash
# nightly.sh - what takes too long for every change: a long sweep with every database, a crash at every
# disk operation of ci/walk, every mutant, every fuzz target, the thread sanitizer over real nodes, valgrind over a few seeds, clang-tidy over every source.
#
#   ci/nightly.sh [--seeds A..B] [--fuzz SECONDS] [--mutant SECONDS] [sweep] [walk] [mutants] [fuzz]
#                 [tsan] [valgrind] [tidy]
#
# Without a stage's name all run. Exit status 1 when any of them found something.
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
    sweep | walk | mutants | fuzz | tsan | valgrind | tidy) stages+=("$1") ;;
    *) die "unknown word $1: nightly.sh's first lines tell the usage" ;;
    esac
    shift
done
[ ${#stages[@]} -gt 0 ] || stages=(sweep walk mutants fuzz tsan valgrind tidy)

# Every crash point, also with one more in each recovery, and an error of every disk operation; the plans
# of failures are in build/walk.
run_walk() {
    local how said status=0
    build release -- gandalf-sim >/dev/null && rm -rf "$TOP/build/walk" && mkdir -p "$TOP/build/walk" || return 1
    for how in "" --twice --errors; do
        # shellcheck disable=SC2086 # It may be no word.
        said=$("$TOP/build/release/sim/gandalf-sim" walk "$TOP"/ci/walk/*.plan --disk all $how \
            --jobs "$(jobs_count)" -o "$TOP/build/walk") || status=1
        say "$said"
        [[ $said =~ \ 0\ inconclusive$ ]] || status=1
    done
    return $status
}

# Real nodes of three, under load, killed and restarted, with every access between threads watched.
run_tsan() {
    build tsan >/dev/null &&
        (cd "$TOP/build/tsan" &&
            TSAN_OPTIONS="suppressions=$TOP/ci/tsan.supp" ctest -L process -j "$(jobs_count)" \
                --output-on-failure)
}

# Whole clusters, node by node dropped and restarted, with every byte watched. Replayed, since a sweep's
# workers end without a word and so leave what they hold; status 3 is an inconclusive run.
run_valgrind() {
    local seed code status=0
    install_missing valgrind
    build release -- gandalf-sim >/dev/null || return 1
    for seed in 1 2 3 4 5 6 7 8; do
        code=0
        valgrind -q --error-exitcode=9 --leak-check=full "$TOP/build/release/sim/gandalf-sim" \
            replay "$seed" || code=$?
        [ "$code" -eq 0 ] || [ "$code" -eq 3 ] || status=1
    done
    return $status
}

# Every source; the stage tells its verdict in its last line.
run_tidy() {
    local said
    said=$("$TOP/ci/stages/tidy.sh" --all)
    say "$said"
    [[ $said =~ [1-9][0-9]*\ passed,\ 0\ failed$ ]]
}

install_missing "${BUILD_PACKAGES[@]}"
passed=0
failed=0
for stage in "${stages[@]}"; do
    say "== $stage"
    case $stage in
    sweep)
        build release -- gandalf-sim >/dev/null &&
            "$TOP/build/release/sim/gandalf-sim" run --seeds "$seeds" --jobs "$(jobs_count)" \
                --database all | tail -120
        ;;
    walk) run_walk ;;
    mutants) "$TOP/ci/mutants.sh" --seconds "$mutant_seconds" --jobs "$(jobs_count)" ;;
    fuzz) "$TOP/ci/fuzz.sh" "$fuzz_seconds" ;;
    tsan) run_tsan ;;
    valgrind) run_valgrind ;;
    tidy) run_tidy ;;
    esac
    if [ $? -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
say "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
