#!/usr/bin/env bash
# fuzz.sh [TARGET] [SECONDS] - fuzz one target, or each in turn, for so long (60 seconds each when not
# given). New inputs stay in build/fuzz-corpus/TARGET; a failing one is kept there as crash-*.
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
    "$program" "${words[@]}" -max_len=1025 -max_total_time="$seconds" -artifact_prefix="$found/" -print_final_stats=1 -verbosity=0 \
        "$found" "$TOP/fuzz/corpus/$name" "$TOP/fuzz/regression/$name" 2>&1 |
        grep -E 'average_exec_per_sec|number_of_executed|ERROR|SUMMARY|Assert' || true
    if compgen -G "$found/crash-*" >/dev/null || compgen -G "$found/leak-*" >/dev/null; then
        say "$name FAILED: see $found"
        status=1
    fi
done
exit "$status"
