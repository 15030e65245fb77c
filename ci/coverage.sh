#!/usr/bin/env bash
# coverage.sh - what the tests reach: an HTML report in build/coverage/html, and a table by room.
#
# Runs every test (fuzz corpora are among them) and a short sweep of the simulator, all built with
# gcov. Fails below ci/coverage.floor. Branches of assertions and of GD_REACHED are left out: their
# other side is a bug, or a counter. Takes two or three minutes on two cores; ci/stages has it as one of
# CI's stages. GANDALF_COVERAGE_SEEDS (1..60) is the sweep.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

install_missing "${BUILD_PACKAGES[@]}" lcov
say "== building"
build coverage >/dev/null
work=$TOP/build/coverage
find "$work" -name '*.gcda' -delete
say "== tests"
(cd "$work" && ctest -j "$(jobs_count)" -Q) || say "some tests failed: see ctest in $work"
if [ -x "$work/sim/gandalf-sim" ]; then
    say "== a sweep"
    "$work/sim/gandalf-sim" run --seeds "${GANDALF_COVERAGE_SEEDS:-1..60}" --jobs "$(jobs_count)" \
        --time-limit 120 --quiet --no-marks >/dev/null || say "the sweep did not pass"
fi
say "== counting"
options=(--rc lcov_branch_coverage=1 --rc 'lcov_excl_br_line=GD_ASSERT|GD_VERIFY|GD_REACHED' --quiet)
lcov "${options[@]}" --capture --directory "$work" --base-directory "$TOP" --no-external \
    --output-file "$work/all.info" 2>/dev/null
lcov "${options[@]}" --remove "$work/all.info" '*/test/*' '*/fuzz/*' '*/bench/*' "$work/*" \
    --output-file "$work/code.info" 2>/dev/null
genhtml --branch-coverage --quiet --prefix "$TOP" --output-directory "$work/html" \
    "$work/code.info" >/dev/null 2>&1 || say "genhtml failed: no HTML report"

# LF, LH, BRF, BRH of each file's record, summed by its first folder.
awk -F: -v top="$TOP/" '
    FNR == NR {
        if ($0 !~ /^#/ && NF) { split($0, word, " "); rooms[++count] = word[1]
            floor_lines[word[1]] = word[2]; floor_branches[word[1]] = word[3] }
        next
    }
    /^SF:/ { path = substr($0, 4); sub(top, "", path); room = path; sub(/\/.*/, "", room) }
    /^LF:/ { lf[room] += $2 }
    /^LH:/ { lh[room] += $2 }
    /^BRF:/ { bf[room] += $2 }
    /^BRH:/ { bh[room] += $2 }
    END {
        printf "%-10s %8s %8s %8s %10s\n", "room", "lines", "floor", "branches", "floor"
        for (i = 1; i <= count; i++) {
            room = rooms[i]
            if (!lf[room]) continue
            lines = 100 * lh[room] / lf[room]
            branches = bf[room] ? 100 * bh[room] / bf[room] : 100
            low = lines < floor_lines[room] || branches < floor_branches[room]
            printf "%-10s %7.1f%% %7s%% %7.1f%% %9s%%%s\n", room, lines, floor_lines[room],
                branches, floor_branches[room], low ? "  BELOW" : ""
            bad += low
        }
        exit bad > 0
    }' "$TOP/ci/coverage.floor" "$work/code.info" || die "a room is below its floor (ci/coverage.floor)"
say "report: $work/html/index.html"
