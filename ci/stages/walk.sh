#!/usr/bin/env bash
# walk.sh - a crash at every disk operation of the plans in ci/walk, with each manner in which unsynced
# bytes may be lost; then the same with one crash more in each recovery, and an error of each operation.
# A quarter of the points, the commit's hash says which, as far as the time for it goes
# (GANDALF_WALK_SECONDS, 75); what that leaves out the last line tells. ci/nightly.sh walks all.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

out=$(mktemp)
trap 'rm -f "$out"' EXIT
if ! build release -- gandalf-sim >"$out" 2>&1; then
    tail -40 "$out"
    say "0 passed, 1 failed"
    exit 1
fi
hash=$(git -C "$TOP" rev-parse HEAD 2>/dev/null || say 1)
seconds=${GANDALF_WALK_SECONDS:-75}
good=0
bad=0
left=
[ "$seconds" -ge 5 ] || seconds=5 # No part of it is 0, which would be no limit.
rm -rf "$TOP/build/walk"
mkdir -p "$TOP/build/walk"

walk() { # walk SECONDS [OPTION...]
    local limit=$1 rest
    shift
    "$TOP/build/release/sim/gandalf-sim" walk "$TOP"/ci/walk/*.plan --jobs "$(jobs_count)" "$@" \
        --shard "$((16#${hash:0:7} % 4))/4" --time-limit "$limit" -o "$TOP/build/walk" >"$out" 2>&1
    cat "$out"
    rest=$(sed -n 's/^not walked, since the time was up: //p' "$out")
    [ -z "$rest" ] || left="${left:-, left out: the time was up}, $rest points"
    # What proves nothing is no pass, and these plans have none of that.
    if [[ $(tail -1 "$out") =~ :\ ([0-9]+)\ pass,\ ([0-9]+)\ fail,\ ([0-9]+)\ inconclusive$ ]] &&
        [ "${BASH_REMATCH[1]}" -gt 0 ]; then
        good=$((good + BASH_REMATCH[1]))
        bad=$((bad + BASH_REMATCH[2] + BASH_REMATCH[3]))
    else
        bad=$((bad + 1))
    fi
}

walk $((seconds * 3 / 5)) --disk all
walk $((seconds / 5)) --disk mixed --twice
walk $((seconds / 5)) --disk mixed --errors
say "$good passed, $bad failed$left"
