#!/usr/bin/env bash
# fuzz.sh [TARGET] [SECONDS] - fuzz one target, or each in turn, for so long (60 seconds each when not
# given). New inputs stay in build/fuzz-corpus/TARGET, a failing one among them as crash-*, leak-*, timeout-*
# or oom-*; what the fuzzer said is in TARGET.log beside it. Exit status 1 when anything failed.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

target=all
seconds=60
for word in "$@"; do
    case $word in
    fuzz_*) target=$word ;;
    '' | *[!0-9]*) die "unknown word $word: usage: fuzz.sh [TARGET] [SECONDS]" ;;
    *) seconds=$word ;;
    esac
done
[ "$target" = all ] || [ -f "$TOP/fuzz/$target.c" ] ||
    die "there is no target $target: $(cd "$TOP/fuzz" && ls fuzz_*.c | sed 's/\.c$//' | tr '\n' ' ')"
install_missing "${BUILD_PACKAGES[@]}" clang libclang-rt-14-dev libfuzzer-14-dev
build fuzz >/dev/null
status=0
for program in "$TOP"/build/fuzz/fuzz/fuzz_*; do
    name=$(basename "$program")
    [ -x "$program" ] && [ -f "$TOP/fuzz/$name.c" ] || continue
    [ "$target" = all ] || [ "$target" = "$name" ] || continue
    found=$TOP/build/fuzz-corpus/$name
    mkdir -p "$found" "$TOP/fuzz/corpus/$name" "$TOP/fuzz/regression/$name"
    say "== $name, $seconds seconds"
    words=()
    [ ! -f "$TOP/fuzz/dictionary/$name.dict" ] || words=(-dict="$TOP/fuzz/dictionary/$name.dict")
    log=$TOP/build/fuzz-corpus/$name.log
    if "$program" "${words[@]}" -max_len=1025 -max_total_time="$seconds" -artifact_prefix="$found/" \
        -print_final_stats=1 "$found" "$TOP/fuzz/corpus/$name" "$TOP/fuzz/regression/$name" >"$log" 2>&1; then
        sed -n 's/^#\([0-9]*\)\tDONE *cov: \([0-9]*\).*/\1 executions, \2 edges/p
            s/^stat::average_exec_per_sec: */a second: /p' "$log"
    else # A crash, a leak, too slow, too much memory: the input is in $found.
        grep -E 'ERROR|SUMMARY|assertion|runtime error|Test unit written' "$log" || tail -5 "$log"
        say "$name FAILED: see $log"
        status=1
    fi
done
exit "$status"
