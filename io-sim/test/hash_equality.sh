#!/bin/sh
# The same storms on gcc -O0 and clang -O3, with address randomization on and off: one identity.
# usage: hash_equality.sh SOURCE_DIR WORK_DIR     exit 0: equal; 1: they differ; 77: a compiler lacks
set -eu
source=$1
work=$2
for compiler in gcc clang; do
    command -v "$compiler" >/dev/null || { echo "skipped: no $compiler"; exit 77; }
done
mkdir -p "$work"
cd "$source"
set -- io-sim/test/storm.c io-sim/test/storm_main.c io-sim/world.c io-sim/clock.c io-sim/process.c \
    io-sim/net.c io-sim/pipe.c io-sim/disk.c io-sim/lie.c io-sim/store.c io-sim/heap.c engine/base.c \
    engine/bytes.c engine/io.c engine/prng.c
gcc -std=c17 -O0 -I. "$@" -o "$work/storm-gcc-O0"
clang -std=c17 -O3 -I. "$@" -o "$work/storm-clang-O3"
"$work/storm-gcc-O0" >"$work/gcc-O0.txt"
"$work/storm-clang-O3" >"$work/clang-O3.txt"
diff "$work/gcc-O0.txt" "$work/clang-O3.txt" || { echo "gcc -O0 and clang -O3 differ"; exit 1; }
if command -v setarch >/dev/null && setarch -R true 2>/dev/null; then
    setarch -R "$work/storm-clang-O3" >"$work/fixed.txt"
    diff "$work/clang-O3.txt" "$work/fixed.txt" || { echo "addresses matter"; exit 1; }
fi
echo "equal: $(wc -l <"$work/gcc-O0.txt") storms"
