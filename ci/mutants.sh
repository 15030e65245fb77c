#!/usr/bin/env bash
# mutants.sh - does the simulator find bugs? Each ci/mutants/NN-name.patch puts a real one back.
#
#   ci/mutants.sh [NN...] [--jobs J] [--seconds S] [--from SEED] [--shrink SECONDS] [--no-shrink]
#
# For each: the patch is applied to a copy of the tree, what changed is built, and fresh seeds run until
# one fails or the budget (S CPU seconds, 300 when not given) is spent. A row for each: number, name,
# what killed it, seed, seeds needed, CPU seconds, faults left after shrinking, of how many; at the end
# median and worst. Then the tree as it is runs the same seeds, of each database that a mutant asked for, for as long as the slowest
# mutant took, and must stay clean. A patch that does not apply fails the run. Exit status 1 when a mutant survives, a patch fails, or the clean tree does.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

jobs=1
seconds=300
from=1
shrink=110 # Seconds; 0: not at all.
numbers=()
while [ $# -gt 0 ]; do
    case $1 in
    --jobs) jobs=$2; shift ;;
    --seconds) seconds=$2; shift ;;
    --from) from=$2; shift ;;
    --shrink) shrink=$2; shift ;;
    --no-shrink) shrink=0 ;;
    [0-9]*) numbers+=("$1") ;;
    *) die "unknown word $1: usage: mutants.sh [NN...] [--jobs J] [--seconds S] [--from SEED] [--shrink SECONDS] [--no-shrink]" ;;
    esac
    shift
done
patches=()
for patch in "$TOP"/ci/mutants/*.patch; do
    number=$(basename "$patch" | sed 's/^0*\([0-9]*\)-.*/\1/')
    if [ ${#numbers[@]} -eq 0 ] || printf '%s\n' "${numbers[@]}" | sed 's/^0*//' | grep -qx "$number"; then
        patches+=("$number $patch")
    fi
done
[ ${#patches[@]} -gt 0 ] || die "no such mutant"
mapfile -t patches < <(printf '%s\n' "${patches[@]}" | sort -n)

install_missing "${BUILD_PACKAGES[@]}" patch
work=$(mktemp -d -t gandalf-mutants-XXXXXX)
trap 'rm -rf "$work"' EXIT
rows=$work/rows
: >"$rows"

# A copy that builds on its own; times of files are kept, so that only what a patch changes is built.
copy() { # copy FOLDER
    mkdir -p "$1"
    (cd "$TOP" && git ls-files -z --cached --others --exclude-standard -- CMakeLists.txt CMakePresets.json cmake \
        engine kvs io-sim io-real sim examples | xargs -0 cp -p --parents -t "$1" 2>/dev/null)
    (cd "$1" && cmake -G Ninja -B build -S . -DCMAKE_BUILD_TYPE=Release -DGD_VERIFY=ON >/dev/null)
    cmake --build "$1/build" --target gandalf-sim >"$1/build.log" 2>&1
}

# run_seeds FOLDER OUT: fresh seeds until one fails or the CPU budget is spent.
run_seeds() {
    local seed=$from status=0 spent
    : >"$2"
    while :; do
        ( ulimit -t "$seconds"; exec "$1/build/sim/gandalf-sim" run --seeds "$seed..$((seed + 19))" \
            --database "${database:-kvs}" --stop-at-failure ) >"$2.part" 2>&1
        status=$?
        cat "$2.part" >>"$2"
        spent=$(awk -v now="$(cpu_used)" -v was="$cpu_begin" 'BEGIN { print now - was }')
        if grep -q 'outcome=fail' "$2.part" || { [ $status -ne 0 ] && [ $status -ne 3 ] && ! grep -q 'outcome=' "$2.part"; }; then
            return 1
        fi
        seed=$((seed + 20))
        awk -v s="$spent" -v b="$seconds" 'BEGIN { exit !(s >= b) }' && return 0
    done
}

# CPU seconds that the ended children of process $self have used.
cpu_used() { awk -v tick="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); printf "%.1f", ($14 + $15) / tick }' "/proc/$self/stat"; }
self=$BASHPID

one() { # one NUMBER PATCH FOLDER
    local number=$1 patch=$2 folder=$3 name out=$work/out.$1 status seed count check faults cpu_begin cpu verdict database
    # Some need a database that is a process of its own.
    database=$(sed -n 's/^Database: //p' "$patch")
    name=$(basename "$patch" .patch | sed 's/^[0-9]*-//')
    if ! patch -d "$folder" -p1 -s --no-backup-if-mismatch <"$patch" >"$out" 2>&1; then
        patch -d "$folder" -p1 -R -s -f <"$patch" >/dev/null 2>&1
        printf '| %s | %s | PATCH DOES NOT APPLY | | | | |\n' "$number" "$name" >>"$rows"
        return
    fi
    if ! cmake --build "$folder/build" --target gandalf-sim >"$out" 2>&1; then
        printf '| %s | %s | DOES NOT BUILD | | | | |\n' "$number" "$name" >>"$rows"
    else
        cpu_begin=$(cpu_used)
        run_seeds "$folder" "$out"
        status=$?
        cpu=$(awk -v now="$(cpu_used)" -v was="$cpu_begin" 'BEGIN { print now - was }')
        if [ $status -eq 0 ]; then
            verdict=SURVIVED seed='' faults=''
        else
            seed=$(grep -m1 'outcome=fail' "$out" | sed 's/.*seed=\([0-9]*\).*/\1/')
            check=$(grep -m1 -A1 'outcome=fail' "$out" | sed -n 's/^ *violated: //p' | head -1)
            verdict=${check:-"the run died: $(tail -1 "$out" | cut -c1-60)"}
            verdict=${verdict//||/or} # A bar ends a column.
            verdict=${verdict%% (/*}  # Where the copy lies is no matter.
            faults=
            if [ "$shrink" -gt 0 ] && [ -n "$seed" ]; then
                timeout $((shrink + 60)) "$folder/build/sim/gandalf-sim" shrink "${database:+$database:}$seed" \
                    --time-limit "$shrink" -o "$out.plan" >/dev/null 2>&1
                [ -s "$out.plan" ] && faults=$(say "$(grep -c '^at ' "$out.plan") of $("$folder/build/sim/gandalf-sim" plan \
                    "${database:+$database:}$seed" | grep -c '^at ')")
            fi
        fi
        count=$(grep -c 'outcome=' "$out")
        printf '| %s | %s | %s | %s | %s | %s | %s |\n' "$number" "$name" "$verdict" "$seed" "$count" \
            "$cpu" "$faults" >>"$rows"
    fi
    patch -d "$folder" -p1 -R -s --no-backup-if-mismatch <"$patch"
    tail -1 "$rows"
}

say "building the clean tree ..."
for ((j = 0; j < jobs; j++)); do
    copy "$work/tree.$j" || { tail -20 "$work/tree.$j/build.log"; die "the clean tree does not build"; }
done
say "| number | name | killed by | seed | seeds | CPU s | faults left |"
say "| --- | --- | --- | --- | --- | --- | --- |"
for ((j = 0; j < jobs; j++)); do
    (
        self=$BASHPID
        for ((i = j; i < ${#patches[@]}; i += jobs)); do
            read -r number patch <<<"${patches[$i]}"
            one "$number" "$patch" "$work/tree.$j"
        done
    ) &
done
wait
clean=yes
most=$(awk -F'|' '$7 + 0 > m { m = $7 + 0 } END { printf "%d", m + 1 }' "$rows")
cpu_begin=$(cpu_used)
seconds=$((most > 10 ? (most < seconds ? most : seconds) : 10))
# The sources are whole again, the program there still has the last mutant in it.
cmake --build "$work/tree.0/build" --target gandalf-sim >"$work/clean.build" 2>&1 || die "the clean tree does not build any more"
for database in $(for p in "${patches[@]}"; do sed -n 's/^Database: //p' "${p#* }" | grep . || say kvs; done | sort -u); do
    cpu_begin=$(cpu_used)
    now=yes
    run_seeds "$work/tree.0" "$work/clean" || now=no clean=no
    say "clean tree, $(grep -c 'outcome=' "$work/clean") seeds of $database: $([ $now = yes ] && say no failure ||
        grep -m1 -A1 'outcome=fail' "$work/clean" | tr '\n' ' ')"
done
killed=$(grep -cvE 'SURVIVED|DOES NOT' "$rows")
bad=$(grep -cE 'SURVIVED|DOES NOT' "$rows")
awk -F'|' '!/SURVIVED|DOES NOT/ { print $7 + 0 }' "$rows" | sort -n |
    awk '{ v[NR] = $1 } END { if (NR) print "CPU seconds to kill: median " v[int((NR + 1) / 2)] ", worst " v[NR] }'
say "$killed passed, $((bad + ($(echo $clean | grep -c no)))) failed"
[ "$bad" -eq 0 ] && [ $clean = yes ]
