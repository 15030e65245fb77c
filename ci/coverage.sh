#!/usr/bin/env bash
# coverage.sh - what the tests reach: an HTML report in build/coverage/html, and a table by room.
#
# Runs every test (fuzz corpora are among them) and a short sweep of the simulator, all built with
# gcov. Fails below ci/coverage.floor. Branches of assertions and of GD_REACHED are left out: their
# other side is a bug, or a counter. Takes two or three minutes on two cores; ci/stages has it as one of
# CI's stages. GANDALF_COVERAGE_SEEDS (1..60) is the sweep.
#
# A line that no test reaches, and that none can, says so: a comment `UNTESTED: why` on one of the
# lines of its run, or on the last line in front of them that is reached. The table counts the lines that
# are not reached and say nothing; build/coverage/untested.txt lists them, and the notes whose lines are
# reached after all. Such lines count as not reached all the same.
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
# Paths may be relative to the build's folder (a compiler cache makes them so).
lcov "${options[@]}" --capture --directory "$work" --base-directory "$work" \
    --output-file "$work/all.info" 2>"$work/lcov.log" ||
    die "lcov could not count (sources that changed meanwhile?): $(grep -m 1 ERROR "$work/lcov.log")"
lcov "${options[@]}" --remove "$work/all.info" '/usr/*' '*/test/*' '*/fuzz/*' '*/bench/*' "$work/*" \
    --output-file "$work/code.info" 2>"$work/lcov.log" || die "lcov failed: see $work/lcov.log"
genhtml --branch-coverage --quiet --prefix "$TOP" --output-directory "$work/html" \
    "$work/code.info" >/dev/null 2>&1 || say "genhtml failed: no HTML report"

# Runs of lines that are not reached and have no note: ROOM COUNT FILE:FIRST-LAST. And notes that stand
# where all is reached: ROOM - FILE:LINE.
awk -v top="$TOP/" '
    function judge(path, count,   i, first, start, lines, noted, line, text, notes, used, room) {
        room = path; sub(/\/.*/, "", room)
        line = 0
        while ((getline text < (top path)) > 0) {
            line++
            if (text ~ /UNTESTED:/) notes[line] = 1
        }
        close(top path)
        for (i = 1; i <= count; i++) {
            if (hits[i]) continue
            first = number[i]
            start = i > 1 ? number[i - 1] : 1
            for (lines = 1; i < count && !hits[i + 1]; i++) lines++
            noted = 0
            for (line in notes) {
                if (line + 0 >= start && line + 0 <= number[i]) { noted = 1; used[line] = 1 }
            }
            if (!noted) print room, lines, path ":" first "-" number[i]
        }
        for (line in notes) if (!(line in used)) print room, "-", path ":" line
    }
    /^SF:/ { path = substr($0, 4); sub(top, "", path); count = 0 }
    /^DA:/ { split(substr($0, 4), word, ","); number[++count] = word[1]; hits[count] = word[2] > 0 }
    /^end_of_record/ { judge(path, count) }' "$work/code.info" >"$work/untested.txt"

# LF, LH, BRF, BRH of each file's record, summed by its first folder.
awk -F: -v top="$TOP/" '
    FNR == NR {
        if ($0 !~ /^#/ && NF) { split($0, word, " "); rooms[++count] = word[1]
            floor_lines[word[1]] = word[2]; floor_branches[word[1]] = word[3] }
        next
    }
    FILENAME ~ /untested\.txt$/ { split($0, word, " "); silent[word[1]] += word[2]; next }
    /^SF:/ { path = substr($0, 4); sub(top, "", path); room = path; sub(/\/.*/, "", room) }
    /^LF:/ { lf[room] += $2 }
    /^LH:/ { lh[room] += $2 }
    /^BRF:/ { bf[room] += $2 }
    /^BRH:/ { bh[room] += $2 }
    END {
        printf "%-10s %8s %8s %8s %10s %12s\n", "room", "lines", "floor", "branches", "floor",
            "without note"
        for (i = 1; i <= count; i++) {
            room = rooms[i]
            if (!lf[room]) continue
            lines = 100 * lh[room] / lf[room]
            branches = bf[room] ? 100 * bh[room] / bf[room] : 100
            low = lines < floor_lines[room] || branches < floor_branches[room]
            printf "%-10s %7.1f%% %7s%% %7.1f%% %9s%% %12d%s\n", room, lines, floor_lines[room],
                branches, floor_branches[room], silent[room], low ? "  BELOW" : ""
            bad += low
        }
        exit bad > 0
    }' "$TOP/ci/coverage.floor" "$work/untested.txt" "$work/code.info" ||
    die "a room is below its floor (ci/coverage.floor)"
grep ' - ' "$work/untested.txt" | sed 's/.* - \(.*\)/\1 says UNTESTED, and is reached/' || true
say "report: $work/html/index.html; lines that nothing reaches: $work/untested.txt"
