#!/usr/bin/env bash
# static.sh - every source is as clang-format has it, and cppcheck has nothing to say. Half a minute.
# clang-tidy, which takes minutes, is tidy.sh.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

install_missing clang-format cppcheck >&2
cd "$TOP" || exit 1
good=0
bad=0
verdict() { # verdict STATUS NAME
    if [ "$1" -eq 0 ]; then good=$((good + 1)); else bad=$((bad + 1)); say "$2: FAILED"; fi
}
mapfile -t sources < <(find engine kvs io-real io-sim sim fuzz bench examples -name '*.[ch]' | sort)
clang-format --dry-run -Werror "${sources[@]}"
verdict $? clang-format
cppcheck --enable=warning,performance,portability --inline-suppr --std=c11 --error-exitcode=1 --quiet \
    -j "$(jobs_count)" -I. -DGD_VERIFY_ENABLED=1 -D_GNU_SOURCE --suppressions-list=ci/cppcheck.suppress \
    -i engine/test -i kvs/test -i io-real/test -i io-sim/test -i sim/test \
    engine kvs io-real io-sim sim fuzz bench examples
verdict $? cppcheck
say "$good passed, $bad failed"
