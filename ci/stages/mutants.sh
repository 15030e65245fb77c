#!/usr/bin/env bash
# mutants.sh - a tenth of ci/mutants, another with each commit: each must still apply and build, and
# those that the table says were killed must be killed again, within thirty CPU seconds each. Fewer, when
# the time that is left over for this (GANDALF_MUTANT_SECONDS, 150 in all) is used up.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

budget=${GANDALF_MUTANT_SECONDS:-150}
hash=$(git -C "$TOP" rev-parse HEAD 2>/dev/null || say 1)
turn=$((16#${hash:0:7} % 10))
# Rows of the table whose mutant died within a few CPU seconds: what is rare is for the long run.
mapfile -t known < <(awk -F' *[|] *' '/^[|] [0-9]/ && $4 != "SURVIVED" && $7 != "" && $7 + 0 <= 5 { print $2 }' \
    "$TOP/ci/mutants/README.md" | sort -n)
chosen=()
for ((i = turn; i < ${#known[@]}; i += 10)); do
    chosen+=("${known[$i]}")
done
good=0
bad=0
say "mutants ${chosen[*]}"
# Every patch applies, also those that are not run today.
for patch in "$TOP"/ci/mutants/*.patch; do
    if patch -d "$TOP" -p1 --dry-run -s -f <"$patch" >/dev/null 2>&1; then
        good=$((good + 1))
    else
        bad=$((bad + 1))
        say "$(basename "$patch") does not apply"
    fi
done
out=$(mktemp)
trap 'rm -f "$out"' EXIT
timeout "$budget" "$TOP/ci/mutants.sh" "${chosen[@]}" --seconds 30 --no-shrink >"$out" 2>&1
cat "$out"
good=$((good + $(grep -E '^[|] [0-9]' "$out" | grep -cvE 'SURVIVED|DOES NOT')))
bad=$((bad + $(grep -cE 'SURVIVED|DOES NOT' "$out")))
if grep '^clean tree' "$out" | grep -qv 'no failure$'; then bad=$((bad + 1)); fi
grep -qE '^[|] [0-9]' "$out" || bad=$((bad + 1)) # Not even one in the time.
say "$good passed, $bad failed"
