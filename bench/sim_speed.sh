#!/usr/bin/env bash
# sim_speed.sh - the simulator beside another one, both in one go: raft/fixture.h of libraft-dev (the
# Raft core alone) and gandalf-sim (whole nodes: sessions, log, database, checks), eight clients of 64
# bytes on three servers. Rounds alternate, medians are compared. Then the default plans of some seeds.
#
#   bench/sim_speed.sh [ROUNDS] [SEEDS]     5 and 1..100 when not given
#
# The fixture copies the leader's log at each step, so it slows down as the log grows; its rounds are
# one second long, which is kind to it.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../ci/common.sh"

rounds=${1:-5}
seeds=${2:-1..100}
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
say "default plans, one job: $("$sim" run --seeds "$seeds" --no-marks --quiet | tail -1)"
