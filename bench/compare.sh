#!/usr/bin/env bash
# compare.sh - installs and builds what the comparison needs, and runs it: bench/compare.py tells what
# is measured, and takes the same flags. About eight minutes with --rounds 3. With --all as its first
# word the scaling runs (scale.sh) and the parts alone (micro.sh) follow: about seven minutes more.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../ci/common.sh"

all=no
if [ "${1:-}" = --all ]; then
    all=yes
    shift
fi
install_missing "${BUILD_PACKAGES[@]}" redis-server redis-tools etcd-server golang-go \
    golang-etcd-server-dev python3-matplotlib
build release -- gandalf >/dev/null
mkdir -p "$TOP/build/bench"
(cd "$TOP/bench" && GO111MODULE=off GOPATH=/usr/share/gocode go build -o "$TOP/build/bench/etcd_load" \
    etcd_load.go)
/usr/bin/python3 "$TOP/bench/compare.py" --etcd-load "$TOP/build/bench/etcd_load" \
    --png "$TOP/build/bench/compare.png" --html "$TOP/build/bench/compare.html" "$@"
if [ $all = yes ]; then
    "$TOP/bench/scale.sh"
    say ""
    "$TOP/bench/micro.sh"
fi
