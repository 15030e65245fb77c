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
files="$source/io-sim/test/storm.c $source/io-sim/test/storm_main.c $source/io-sim/world.c
    $source/io-sim/clock.c $source/io-sim/process.c $source/io-sim/net.c $source/io-sim/pipe.c
    $source/io-sim/disk.c $source/io-sim/store.c $source/io-sim/heap.c $source/engine/base.c
    $source/engine/bytes.c $source/engine/io.c $source/engine/prng.c"
# shellcheck disable=SC2086
gcc -std=c17 -O0 -I"$source" $files -o "$work/storm-gcc-O0"
# shellcheck disable=SC2086
clang -std=c17 -O3 -I"$source" $files -o "$work/storm-clang-O3"
"$work/storm-gcc-O0" >"$work/gcc-O0.txt"
"$work/storm-clang-O3" >"$work/clang-O3.txt"
diff "$work/gcc-O0.txt" "$work/clang-O3.txt" || { echo "gcc -O0 and clang -O3 differ"; exit 1; }
if command -v setarch >/dev/null && setarch -R true 2>/dev/null; then
    setarch -R "$work/storm-clang-O3" >"$work/fixed.txt"
    diff "$work/clang-O3.txt" "$work/fixed.txt" || { echo "addresses matter"; exit 1; }
fi
echo "equal: $(wc -l <"$work/gcc-O0.txt") storms"
