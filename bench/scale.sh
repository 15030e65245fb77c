#!/usr/bin/env bash
# scale.sh - builds what the scaling runs need and runs them: bench/scale.py tells what is measured, and
# takes the same flags. About five minutes.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../ci/common.sh"

install_missing "${BUILD_PACKAGES[@]}" redis-tools
build release -- gandalf >/dev/null
exec /usr/bin/python3 "$TOP/bench/scale.py" "$@"
