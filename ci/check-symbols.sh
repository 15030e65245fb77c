#!/usr/bin/env bash
# check-symbols.sh LIBRARY - the engine imports nothing of the outside world: every undefined symbol of
# its objects is one of its own or stands in engine-symbols.txt.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
library=${1:?usage: check-symbols.sh LIBRARY}
allowed=$(mktemp)
trap 'rm -f "$allowed"' EXIT
{
    grep -v '^#' "$here/engine-symbols.txt"
    nm --defined-only --extern-only "$library" | awk 'NF == 3 { print $3 }'
    # Sanitizers and coverage bring their own.
} | sort -u >"$allowed"
bad=$(nm --undefined-only "$library" | awk '$1 == "U" { print $2 }' | sort -u |
    grep -vE '^(__asan|__ubsan|__msan|__tsan|__sanitizer|__gcov|__sancov|llvm_gc|__start_gd_marks|__stop_gd_marks)' |
    comm -23 - "$allowed")
if [ -n "$bad" ]; then
    printf 'the engine imports what it may not:\n%s\n' "$bad"
    exit 1
fi
printf 'the engine imports nothing of the outside\n'
