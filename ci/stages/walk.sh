#!/usr/bin/env bash
# walk.sh - a crash at every disk operation of the plans in ci/walk, with each manner in which unsynced
# bytes may be lost: a third of the points, the commit's hash says which, as far as the time for it goes
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
mkdir -p "$TOP/build/walk"
"$TOP/build/release/sim/gandalf-sim" walk "$TOP"/ci/walk/*.plan --disk all --jobs "$(jobs_count)" \
    --shard "$((16#${hash:0:7} % 3))/3" --time-limit "${GANDALF_WALK_SECONDS:-75}" -o "$TOP/build/walk" >"$out" 2>&1
cat "$out"
left=
rest=$(sed -n 's/^not walked, since the time was up: //p' "$out")
[ -z "$rest" ] || left=", left out: the time was up before $rest crash points"
# A crash that proves nothing is no pass, and these plans have none.
if [[ $(tail -1 "$out") =~ ^[0-9]+\ crash\ points:\ ([0-9]+)\ pass,\ ([0-9]+)\ fail,\ ([0-9]+)\ inconclusive$ ]] &&
    [ "${BASH_REMATCH[1]}" -gt 0 ]; then
    say "${BASH_REMATCH[1]} passed, $((BASH_REMATCH[2] + BASH_REMATCH[3])) failed$left"
else
    say "0 passed, 1 failed"
fi
