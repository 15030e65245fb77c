#!/usr/bin/env bash
# test.sh - build gandalf in two ways and pass every test there is.
#
#   ./ci/test.sh           all of it
#   ./ci/test.sh NAME...   some stages: debug asan start plans sweep fuzz, or a file's name in ci/stages
#
# The last line is the sum of all.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

stages=(debug asan start plans sweep fuzz)
for stage in "$TOP"/ci/stages/*.sh; do
    stages+=("$(basename "$stage" .sh)")
done
for word in "$@"; do
    [[ " ${stages[*]} " == *" $word "* ]] || {
        say "usage: ci/test.sh [STAGE...]; without one, all of: ${stages[*]}"
        [ "$word" = --help ] && exit 0
        exit 2
    }
done

wanted=" $* "
passed=0
failed=0
began=0
broken=()
left_out=()
report=$(mktemp -d)
trap 'rm -rf "$report"' EXIT

count() { # count STAGE PASSED FAILED
    passed=$((passed + $2))
    failed=$((failed + $3))
    [ "$3" -eq 0 ] || broken+=("$1")
    say "== $1: $2 passed, $3 failed, $((SECONDS - began)) s"
    began=$SECONDS
}

asked() { [ "$wanted" = "  " ] || [[ $wanted == *" $1 "* ]]; }

# One preset: built without a warning, and its ctest.
preset() { # preset NAME
    asked "$1" || return 0
    say "== $1: building"
    if ! build "$1" -DGD_WERROR=ON >"$report/$1.build" 2>&1; then
        tail -60 "$report/$1.build"
        count "$1" 0 1
        return
    fi
    (cd "$TOP/build/$1" && ctest --output-on-failure -j "$(jobs_count)") 2>&1 | tee "$report/$1.ctest"
    local line all bad
    line=$(grep -E '^[0-9]+% tests passed, ' "$report/$1.ctest" | tail -1)
    all=$(sed -n 's/.* out of \([0-9]*\)$/\1/p' <<<"$line")
    bad=$(sed -n 's/.*, \([0-9]*\) tests\{0,1\} failed.*/\1/p' <<<"$line")
    if [ -z "$all" ]; then
        count "$1" 0 1
    else
        count "$1" $((all - bad)) "$bad"
    fi
}

# README's other command: a cluster that serves, and that is gone when it is interrupted.
start() {
    asked start || return 0
    local port pid answer='' good=0 folder
    for port in 9876 9877 9878; do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            say "== start: left out, since something listens at port $port"
            return 0
        fi
    done
    folder=$report/start
    setsid "$TOP/ci/start.sh" --data "$folder" >"$report/start.out" 2>&1 &
    pid=$!
    for _ in $(seq 600); do
        grep -q '^Ctrl-C' "$report/start.out" && break
        kill -0 "$pid" 2>/dev/null || break
        sleep 1
    done
    if [ -x "$TOP/build/release/kvs/gandalf-kvs" ]; then
        "$TOP/build/release/kvs/gandalf-kvs" --port 9876 set test:start yes >/dev/null 2>&1
        answer=$("$TOP/build/release/kvs/gandalf-kvs" --port 9878 get test:start 2>/dev/null)
    fi
    kill -TERM "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    [[ $answer == *yes* ]] && grep -q '^stopped' "$report/start.out" && good=1
    [ "$good" -eq 1 ] || tail -20 "$report/start.out"
    count start "$good" $((1 - good))
}

simulator=$TOP/build/release/sim/gandalf-sim

# The program, as the sources are now.
build_simulator() { # build_simulator STAGE
    build release -- gandalf-sim >"$report/simulator" 2>&1 && return
    tail -40 "$report/simulator"
    count "$1" 0 1
    return 1
}

# Plans that once failed: each must pass for ever.
plans() {
    local good=0 bad=0 plan
    asked plans || return 0
    say "== plans: building the simulator"
    build_simulator plans || return
    for plan in "$TOP"/ci/plans/*.plan; do
        if "$simulator" replay "$plan" >"$report/plan" 2>&1; then
            good=$((good + 1))
        else
            bad=$((bad + 1))
            say "$plan:"
            head -5 "$report/plan"
        fi
    done
    count plans "$good" "$bad"
}

# Fresh seeds, as many as fit into the time: the commit's hash picks where they begin, so that every
# commit tries others, and a failure can be had again. GANDALF_SEEDS=A..B names others.
fresh_seeds() {
    local hash
    hash=$(git -C "$TOP" rev-parse HEAD 2>/dev/null || say 1)
    hash=$((16#${hash:0:7} * 1000 + 1))
    say "$hash..$((hash + 999999))"
}

sweep() {
    local status=0 seeds
    asked sweep || return 0
    build_simulator sweep || return
    seeds=${GANDALF_SEEDS:-$(fresh_seeds)}
    say "== sweep: seeds $seeds"
    "$simulator" run --seeds "$seeds" --jobs "$(jobs_count)" \
        --time-limit "${GANDALF_SWEEP_SECONDS:-180}" >"$report/sweep" 2>&1 || status=$?
    tail -3 "$report/sweep"
    local good bad
    good=$(grep -c 'outcome=pass' "$report/sweep")
    bad=$(grep -c 'outcome=fail' "$report/sweep")
    [ "$status" -eq 0 ] || [ "$status" -eq 3 ] || [ "$bad" -gt 0 ] || bad=1
    grep -E 'outcome=fail' -A 3 "$report/sweep" | head -20
    count sweep "$good" "$bad"
}

# Every file that once made a decoder stumble, and the corpora; then some seconds of new inputs each.
# How many inputs each target tries here: some seconds' worth. A number and a fixed seed, so that a
# commit's answer does not depend on the machine's speed; ci/fuzz.sh is for new inputs.
fuzz_runs() {
    case $1 in
    fuzz_message | fuzz_plan) say 200000 ;;
    fuzz_resp) say 25000 ;;
    fuzz_config) say 5000 ;;
    fuzz_wal | fuzz_snapshot) say 700 ;;
    fuzz_directory) say 300 ;;
    fuzz_proxy) say 5000 ;;
    fuzz_sql) say 1000 ;;
    *) say 2000 ;;
    esac
}

fuzz() {
    local good=0 bad=0 corpus name target words
    asked fuzz || return 0
    compgen -G "$TOP/fuzz/corpus/*/" >/dev/null || return 0
    install_missing clang libclang-rt-14-dev libfuzzer-14-dev
    if ! build fuzz >"$report/fuzz.build" 2>&1; then
        tail -40 "$report/fuzz.build"
        count fuzz 0 1
        return
    fi
    for corpus in "$TOP"/fuzz/corpus/*/; do
        name=$(basename "$corpus")
        target=$TOP/build/fuzz/fuzz/$name
        [ -x "$target" ] || continue
        words=("$corpus")
        [ ! -d "$TOP/fuzz/regression/$name" ] || words+=("$TOP/fuzz/regression/$name")
        mkdir -p "$report/found"
        if "$target" -runs=0 "${words[@]}" >"$report/fuzz" 2>&1 &&
            "$target" -seed=1 -runs="$(fuzz_runs "$name")" -max_len=1025 \
                -artifact_prefix="$TOP/build/$name-" "$report/found" "${words[@]}" \
                >"$report/fuzz" 2>&1; then
            good=$((good + 1))
        else
            bad=$((bad + 1))
            tail -20 "$report/fuzz"
        fi
        rm -rf "$report/found"
    done
    count fuzz "$good" "$bad"
}

# Stages that other rooms bring: ci/stages/*.sh, each with `N passed, N failed` as its last line,
# and `, left out: WHY` behind it when something could not be tried here.
others() {
    local stage name line
    for stage in "$TOP"/ci/stages/*.sh; do
        [ -x "$stage" ] || continue
        name=$(basename "$stage" .sh)
        asked "$name" || continue
        "$stage" 2>&1 | tee "$report/$name"
        line=$(tail -1 "$report/$name")
        if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ left\ out:\ .+)?$ ]]; then
            [ -z "${BASH_REMATCH[3]}" ] || left_out+=("$name${BASH_REMATCH[3]}")
            count "$name" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
        else
            count "$name" 0 1
        fi
    done
}

# The clients and the store that process tests compare with.
install_missing "${BUILD_PACKAGES[@]}" python3 redis-tools redis-server python3-redis
(install_missing chromium) || say "chromium could not be had: tests of pictures are skipped"
command -v npm >/dev/null || install_missing nodejs npm
if [ ! -d "$TOP/build/npm/node_modules/ioredis" ]; then
    mkdir -p "$TOP/build/npm"
    npm install --silent --no-fund --no-audit --prefix "$TOP/build/npm" ioredis@5 >/dev/null 2>&1 ||
        say "ioredis could not be had: its test is skipped"
fi
preset debug
preset asan
start
plans
sweep
fuzz
others
[ ${#left_out[@]} -eq 0 ] || printf '%s\n' "${left_out[@]}"
[ ${#broken[@]} -eq 0 ] || say "failed: ${broken[*]}"
say "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
