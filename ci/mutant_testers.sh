#!/usr/bin/env bash
# mutant_testers.sh - what are the other testers good for? The simulator is not the only one.
#
#   ci/mutant_testers.sh [NN...] [--fuzz SECONDS] [--process REGEX] [--jobs J]
#
# For each mutant (ten when none is named): the unit tests and the scripts of the Raft core; fuzz_raft,
# from its corpus on, for some seconds (60); and the process tests whose names match (all of the kvs's
# own, but ioredis, whose package each copy of the tree would have to fetch). A row each: which test
# fell first, and after how many seconds. The tree as it is runs everything first and must pass, else a
# mutant's failure means nothing: exit status 1 then, and when a patch does not apply. A mutant that
# nobody of these finds is no failure: it is what is asked.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

fuzz=60
process='^process_'
jobs=1
numbers=()
while [ $# -gt 0 ]; do
    case $1 in
    --fuzz) fuzz=$2; shift ;;
    --process) process=$2; shift ;;
    --jobs) jobs=$2; shift ;;
    [0-9]*) numbers+=("$1") ;;
    *) die "unknown word $1: usage: mutant_testers.sh [NN...] [--fuzz SECONDS] [--process REGEX] [--jobs J]" ;;
    esac
    shift
done
# Of each kind some: elections, the log, reads, sessions, the disk, members, snapshots.
[ ${#numbers[@]} -gt 0 ] || numbers=(1 4 6 8 12 18 27 39 43 60)

install_missing "${BUILD_PACKAGES[@]}" clang patch
work=$(mktemp -d -t gandalf-testers-XXXXXX)
trap 'rm -rf "$work"' EXIT
(cd "$TOP" && git ls-files -z --cached --others --exclude-standard | xargs -0 cp -p --parents -t "$work" 2>/dev/null)
(cd "$work" && cmake -G Ninja -B tests -S . -DCMAKE_BUILD_TYPE=Release >"$work/cmake.log" 2>&1 &&
    cmake -G Ninja -B fuzzing -S . -DCMAKE_BUILD_TYPE=Debug -DGD_VERIFY=ON -DCMAKE_C_COMPILER=clang -DGD_FUZZ=ON \
        -DGD_SANITIZE=address,undefined -DCMAKE_C_FLAGS_DEBUG="-O1 -g" >>"$work/cmake.log" 2>&1) ||
    { tail -5 "$work/cmake.log"; die "cmake fails"; }

build() {
    cmake --build "$work/tests" -- -j "$jobs" >"$work/log" 2>&1 &&
        cmake --build "$work/fuzzing" --target fuzz_raft -- -j "$jobs" >>"$work/log" 2>&1
}

# A cell: "name (S s)" of the first test that fell, or "- (S s)".
cell() { # cell NAME FROM
    printf '%s (%d s)' "${1:--}" $(($(date +%s) - $2))
}

# The first failure of a ctest run that stops there.
tests() { # tests ARGUMENTS...
    local from fell
    from=$(date +%s)
    (cd "$work/tests" && ctest --stop-on-failure -j "$jobs" "$@") >"$work/said" 2>&1
    fell=$(sed -n 's/^.*Test *#[0-9]*: \([^ ]*\) .*\*\*\*.*/\1/p' "$work/said" | head -1)
    cell "$fell" "$from"
}

fuzz_raft() {
    local from fell=
    from=$(date +%s)
    rm -rf "$work/corpus" && mkdir -p "$work/corpus"
    (cd "$work/corpus" && "$work/fuzzing/fuzz/fuzz_raft" -max_total_time="$fuzz" -seed=1 -rss_limit_mb=4096 \
        "$work/corpus" "$work/fuzz/corpus/fuzz_raft") >"$work/said" 2>&1 || fell=found
    cell "$fell" "$from"
}

row() { # row NUMBER NAME
    printf '| %s | %s | %s | %s | %s |\n' "$1" "$2" "$(tests -R '^(raft_|test_)' -E '^(test_scenarios|test_brute)' -LE process)" \
        "$(fuzz_raft)" "$(tests -R "$process" -E '^process_ioredis')"
}

say "| number | name | unit tests and scripts | fuzz_raft, $fuzz s | process tests |"
say "| --- | --- | --- | --- | --- |"
build || { tail -20 "$work/log"; die "the clean tree does not build"; }
clean=$(row "" "the clean tree")
say "$clean"
bad=0
printf '%s' "$clean" | grep -qE '\| [a-z_A-Z]+[^|]* \([0-9]+ s\) \|' && bad=1
for number in "${numbers[@]}"; do
    patch=$(printf '%s\n' "$TOP"/ci/mutants/*.patch | grep -E "/0*$((10#$number))-")
    name=$(basename "$patch" .patch | sed 's/^[0-9]*-//')
    if ! patch -d "$work" -p1 -s --no-backup-if-mismatch <"$patch" >/dev/null 2>&1; then
        say "| $number | $name | PATCH DOES NOT APPLY | | |"
        bad=1
        continue
    fi
    if build; then
        say "$(row "$number" "$name")"
    else
        say "| $number | $name | DOES NOT BUILD | | |"
        bad=1
    fi
    patch -d "$work" -p1 -R -s --no-backup-if-mismatch <"$patch"
done
exit "$bad"
