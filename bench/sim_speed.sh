#!/usr/bin/env bash
# sim_speed.sh - the simulator beside another one, both in one go: raft/fixture.h of libraft-dev (the
# Raft core alone) and gandalf-sim (whole nodes: sessions, log, database, checks), eight clients of 64
# bytes on three servers. Rounds alternate, medians are compared. Then the default plans of some seeds.
#
#   bench/sim_speed.sh [ROUNDS] [SEEDS]     5 and 1..1000 when not given
#
# The fixture copies the leader's log at each step, so it slows down as the log grows; its rounds are
# one second long, which is kind to it.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../ci/common.sh"

rounds=${1:-5}
seeds=${2:-1..1000}
install_missing "${BUILD_PACKAGES[@]}" libraft-dev
build release -- gandalf-sim >/dev/null
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc -O2 -std=c17 -D_POSIX_C_SOURCE=200809L -Wall -Wextra "$TOP/bench/bench_fixture.c" -lraft -o "$work/fixture"
sim=$TOP/build/release/sim/gandalf-sim

for ((i = 0; i < rounds; i++)); do
    "$work/fixture" 1 >>"$work/theirs"
    begin=$(date +%s%N)
    "$sim" replay "$TOP/bench/eight-clients.plan" >"$work/out"
    end=$(date +%s%N)
    sed -n 's/.*events=\([0-9]*\) sim_s=\([0-9.]*\) ops=\([0-9]*\).*/\3 \1 \2/p' "$work/out" |
        awk -v s="$(((end - begin) / 1000))" '{ printf "%.0f %.0f %.1f\n", $1 * 1e6 / s, $2 * 1e6 / s, $3 * 1e6 / s }' \
            >>"$work/ours"
done
median() { sort -n -k"$2" "$1" | awk -v c="$2" '{ v[NR] = $c } END { print v[int((NR + 1) / 2)] }'; }
say "| a second of real time | libraft's fixture | gandalf-sim | ratio |"
say "| --- | --- | --- | --- |"
column=1
for what in entries events "simulated seconds"; do
    theirs=$(median "$work/theirs" $column)
    ours=$(median "$work/ours" $column)
    say "| $what | $theirs | $ours | $(awk -v a="$ours" -v b="$theirs" 'BEGIN { printf "%.2f", a / b }') |"
    column=$((column + 1))
done

# Default plans, one job. CPU seconds tell what a core does even when it is shared.
TIMEFORMAT='%U %S'
{ time "$sim" run --seeds "$seeds" --no-marks --json >"$work/runs" 2>"$work/end" || true; } 2>"$work/cpu"
sed 's/.*"events":\([0-9]*\),"sim_ns":\([0-9]*\),"ops":\([0-9]*\),"unknown":\([0-9]*\),"refused":[0-9]*,"asked":\([0-9]*\).*/\1 \2 \3 \4 \5/' \
    "$work/runs" | sort -n -k2 | awk -v cpu="$(awk '{ print $1 + $2 }' "$work/cpu")" '
    {
        events += $1; answered += $3; simulated[NR] = $2 / 1e9
        few += $5 < 300; least = NR == 1 || $5 < least ? $5 : least
    }
    END {
        print "| default plans, " NR " seeds | measured | mark |"
        print "| --- | ---: | ---: |"
        printf "| seeds a CPU second | %.1f | 10 |\n", NR / cpu
        printf "| events a CPU second | %d | 300000, goal 1000000 |\n", events / cpu
        printf "| simulated seconds, median | %.1f | 60 |\n", simulated[int((NR + 1) / 2)]
        printf "| client operations, least of a seed | %d | 300 |\n", least
        printf "| seeds with fewer than 300 | %d | 0 |\n", few
        printf "| operations answered, mean | %d | |\n", answered / NR
    }'
tail -1 "$work/end"
