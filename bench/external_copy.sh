#!/usr/bin/env bash
# external_copy.sh - builds what external_copy.py needs and runs it: how long a copy of a real Redis takes
# by its replication stream and by the node's snapshot, and what others notice of it. The program tells
# what is measured, and takes the same flags. About three minutes; it needs 500 MB of memory.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../ci/common.sh"

install_missing "${BUILD_PACKAGES[@]}" redis-server redis-tools
build release -- gandalf >/dev/null
exec /usr/bin/python3 "$TOP/bench/external_copy.py" "$@"
