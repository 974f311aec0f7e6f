#!/bin/sh
# Benchmark (a): IS-Net 1024x1024, Mimeo against ONNX Runtime, in turn, on the same picture with the
# same number of threads. Prints every run, then the ratio of the medians, the largest difference of
# the matte, and the peak memory of each.
#
#     bench/isnet.sh isnet-f16.onnx photo.jpg [rounds] [threads]
#
# The opponent gets the f32 network pruned to `output` (see isnet_widen.mjs): its best case.
# Needs: a build (BUILD, default build), node, vips, and `npm install` in bench/.
set -eu
if [ $# -lt 2 ]; then
    sed -n '2,9s/^# \{0,1\}//p' "$0"
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$here/../build}
model=$1 photo=$2 rounds=${3:-5} threads=${4:-2}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

node "$here/isnet_widen.mjs" "$model" "$work/f32.onnx"
node "$here/isnet_input.mjs" "$photo" "$work/in.f32"
: >"$work/log"
round=0
while [ "$round" -lt "$rounds" ]; do
    node "$here/isnet_onnxruntime.mjs" --model "$work/f32.onnx" --input "$work/in.f32" \
        --threads "$threads" --dump "$work/ort.f32" | tee -a "$work/log"
    "$build/bench-isnet" --weights "$model" --input "$work/in.f32" --threads "$threads" \
        --compare "$work/ort.f32" | tee -a "$work/log"
    round=$((round + 1))
done

awk '
function median(values, n,    i, j, swap) {
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && values[j] < values[j - 1]; j--) {
            swap = values[j]; values[j] = values[j - 1]; values[j - 1] = swap
        }
    return n % 2 ? values[(n + 1) / 2] : (values[n / 2] + values[n / 2 + 1]) / 2
}
{
    delete field
    for (i = 1; i <= NF; i++) { split($i, pair, "="); field[pair[1]] = pair[2] + 0 == pair[2] ? pair[2] + 0 : pair[2] }
    mine = field["engine"] == "mimeo"
    if (mine) {
        a[++na] = field["median_ms"]; ratio[++nr] = other / field["median_ms"]
        if (field["max_abs"] > largest) largest = field["max_abs"]
        if (field["peak_rss_mb"] > memory) memory = field["peak_rss_mb"]
    } else {
        other = b[++nb] = field["median_ms"]
        if (field["peak_rss_mb"] > other_memory) other_memory = field["peak_rss_mb"]
    }
}
END {
    mine_ms = median(a, na); other_ms = median(b, nb); paired = median(ratio, nr)
    printf "mimeo %.0f ms, onnxruntime %.0f ms: %.2f times as fast", mine_ms, other_ms, other_ms / mine_ms
    printf " (paired rounds: median %.2f, %.2f to %.2f)\n", paired, ratio[1], ratio[nr]
    printf "largest difference of the matte %.3g; peak memory %d MB against %d MB\n", largest, memory, other_memory
}' "$work/log"
