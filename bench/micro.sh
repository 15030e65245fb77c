#!/usr/bin/env bash
# micro.sh - the parts alone, one table each: what every request goes through (bench_micro), the keyspace
# (bench_keyspace), the log (bench_wal), the checker (bench_linearize), the simulator's events (sim_speed's
# plan). About two minutes.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../ci/common.sh"

install_missing "${BUILD_PACKAGES[@]}"
build release -- bench_micro bench_keyspace bench_wal bench_linearize gandalf-sim >/dev/null
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$TOP/build/release/bench/bench_micro"
say ""
"$TOP/build/release/bench/bench_keyspace" 1000000 64
say ""
for depth in 1 50 1000; do
    say "log, $depth in flight:"
    "$TOP/build/release/bench/bench_wal" "$work/log-$depth" $((depth == 1 ? 2000 : 300000)) 100 "$depth"
done
say ""
"$TOP/build/release/bench/bench_linearize"
say ""
begin=$(date +%s%N)
"$TOP/build/release/sim/gandalf-sim" replay "$TOP/bench/eight-clients.plan" >"$work/out"
end=$(date +%s%N)
sed -n 's/.*events=\([0-9]*\).*/\1/p' "$work/out" |
    awk -v ns="$((end - begin))" '{ printf "simulator: %.0f events a second (eight clients, three nodes)\n", $1 * 1e9 / ns }'
