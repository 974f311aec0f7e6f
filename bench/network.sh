#!/bin/sh
# Benchmark: one 512x512 picture by GFPGAN, RestoreFormer or DDColor, Mimeo against ONNX Runtime,
# OpenVINO and PyTorch, in turn, with the same seeded weights, picture and number of threads. Prints every run, then
# each peer's time divided by Mimeo's (wall time, medians; and processor time, best of all runs, which
# is what to look at on a busy machine, with 1 thread) and the largest difference of the result.
#
#     bench/network.sh [rounds] [threads] [gfpgan|restoreformer|ddcolor-large|ddcolor-tiny]
#
# Needs: a build (BUILD, default build) and PYTHON (default python3) with what bench/network_peers.py
# names. bf16 is left out where the processor has no instructions for it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$here/../build}
python=${PYTHON:-python3}
rounds=${1:-3} threads=${2:-2} network=${3:-gfpgan}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

precisions=f32
grep -q avx512_bf16 /proc/cpuinfo && precisions="f32 bf16"
peer() {
    engine=$1
    shift
    "$python" "$here/network_peers.py" "$engine" --network "$network" --onnx "$work/network.onnx" "$@"
}
peer export >&2
: >"$work/log"
round=0
while [ "$round" -lt "$rounds" ]; do
    peer onnxruntime --threads "$threads" --dump "$work/reference.f32" | tee -a "$work/log"
    for precision in $precisions; do
        peer openvino --threads "$threads" --precision "$precision" | tee -a "$work/log"
        peer torch --threads "$threads" --precision "$precision" | tee -a "$work/log"
        "$build/bench-network" --network "$network" --threads "$threads" --precision "$precision" \
            --compare "$work/reference.f32" | tee -a "$work/log"
    done
    round=$((round + 1))
done

awk '
function median(list, n,    values, i, j, swap) {
    n = split(list, values, " ")
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && values[j] + 0 < values[j - 1] + 0; j--) {
            swap = values[j]; values[j] = values[j - 1]; values[j - 1] = swap
        }
    return n % 2 ? values[(n + 1) / 2] : (values[n / 2] + values[n / 2 + 1]) / 2
}
{
    delete field
    for (i = 1; i <= NF; i++) { split($i, pair, "="); field[pair[1]] = pair[2] }
    name = field["engine"] " " field["precision"]
    if (!(name in wall)) names[++count] = name
    wall[name] = wall[name] " " field["median_ms"]
    if (!(name in cpu) || field["best_cpu_ms"] + 0 < cpu[name]) cpu[name] = field["best_cpu_ms"] + 0
    if (field["peak_rss_mb"] + 0 > memory[name]) memory[name] = field["peak_rss_mb"] + 0
    if (field["max_relative"] + 0 > largest[name]) largest[name] = field["max_relative"] + 0
}
END {
    mine = "mimeo f32"
    for (i = 1; i <= count; i++) {
        name = names[i]
        printf "%-18s %7.0f ms, %7.0f ms of processor, %5d MB: ", name, median(wall[name]), cpu[name], memory[name]
        printf "%.2f and %.2f times %s", median(wall[name]) / median(wall[mine]), cpu[name] / cpu[mine], mine
        if (name in largest && largest[name] > 0) printf "; differs by %.2g", largest[name]
        printf "\n"
    }
}' "$work/log"
