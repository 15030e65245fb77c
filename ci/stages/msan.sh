#!/usr/bin/env bash
# msan.sh - clang's memory sanitizer over the unit tests of engine, kvs and io-sim, over the fuzz
# corpora, and over forty seeds of the simulator. Left out: what runs in libraries that are not built with it (libuv, libyaml, SQLite, processes),
# the check of symbols (clang brings its own), the long explorers, and test_world (it sends bytes that
# nobody wrote on purpose, and these are not poisoned alike here).
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

install_missing "${BUILD_PACKAGES[@]}" clang libclang-rt-14-dev >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! build msan >"$log" 2>&1; then
    tail -40 "$log"
    say "0 passed, 1 failed"
    exit 0
fi
(cd "$TOP/build/msan" && ctest --output-on-failure -j "$(jobs_count)" \
    -R '^(raft_|test_|fuzz_)' \
    -E '^(test_io_real.*|test_uv|test_config|fuzz_config|fuzz_sql|test_client|test_sql_tracker|test_sql_faults|test_commands_redis|test_scenarios|test_raft_random|test_wal_crash|test_world)$') >"$log" 2>&1
line=$(grep -E '^[0-9]+% tests passed, ' "$log" | tail -1)
all=$(sed -n 's/.* out of \([0-9]*\)$/\1/p' <<<"$line")
bad=$(sed -n 's/.*, \([0-9]*\) tests\{0,1\} failed.*/\1/p' <<<"$line")
[ -n "$all" ] || { all=1; bad=1; }
[ "$bad" -eq 0 ] || tail -60 "$log"
if "$TOP/build/msan/sim/gandalf-sim" run --seeds 1..40 --jobs "$(jobs_count)" --no-marks --quiet >"$log" 2>&1; then
    all=$((all + 1))
else
    tail -40 "$log"
    all=$((all + 1))
    bad=$((bad + 1))
fi
say "$((all - bad)) passed, $bad failed"
