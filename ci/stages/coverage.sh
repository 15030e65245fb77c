#!/usr/bin/env bash
# coverage.sh - what the tests reach, against ci/coverage.floor: ci/coverage.sh as a stage.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

if "$TOP/ci/coverage.sh"; then
    say "1 passed, 0 failed"
else
    say "0 passed, 1 failed"
fi
