#!/bin/sh
# Benchmark (g): RRDBNet (23 blocks) on one tile of 256x256, Mimeo against ONNX Runtime, in turn, with
# the same weights, the same tile and the same number of threads. Prints every run, then the ratio of
# the medians and of the pairs, the share of the machine's measured peak, the multiplications really
# done, the largest difference of the pictures, and the peak memory of each.
#
#     bench/rrdb.sh realesrgan-x4plus.param|seeded [rounds] [threads]
#
# The opponent gets the scales folded into its weights (see rrdb_onnxruntime.mjs): its best case.
# Needs: a build (BUILD, default build), node, and `npm install` in bench/.
set -eu
if [ $# -lt 1 ]; then
    sed -n '2,11s/^# \{0,1\}//p' "$0"
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$here/../build}
weights=$1 rounds=${2:-3} threads=${3:-2}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

"$build/bench-rrdb" --weights "$weights" --runs 0 --export "$work" >/dev/null
"$build/bench-peak" "$threads" | tee "$work/log"
round=0
while [ "$round" -lt "$rounds" ]; do
    node "$here/rrdb_onnxruntime.mjs" --folder "$work" --threads "$threads" --runs 1 \
        --dump "$work/ort.f32" | tee -a "$work/log"
    "$build/bench-rrdb" --weights "$weights" --threads "$threads" --runs 3 \
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
    if ("f32_gflops" in field) {
        if (field["f32_gflops"] > peak) peak = field["f32_gflops"]
    } else if (field["engine"] == "mimeo") {
        a[++na] = field["median_ms"]; ratio[++nr] = other / field["median_ms"]; flop = field["gflop"]
        if (field["max_abs"] > largest) largest = field["max_abs"]
        if (!psnr || field["psnr_db"] < psnr) psnr = field["psnr_db"]
        if (field["peak_rss_mb"] > memory) memory = field["peak_rss_mb"]
    } else {
        other = b[++nb] = field["median_ms"]
        if (field["peak_rss_mb"] > other_memory) other_memory = field["peak_rss_mb"]
    }
}
END {
    mine_ms = median(a, na); other_ms = median(b, nb); paired = median(ratio, nr)
    # Tiles of 6: 64 multiplications for 36 outputs, 9 each in the direct way; 43 tiles cover 258.
    done = 64 / 324 * (258 / 256) ^ 2
    speed = flop / mine_ms * 1e3
    printf "mimeo %.0f ms, onnxruntime %.0f ms: %.2f times as fast", mine_ms, other_ms, other_ms / mine_ms
    printf " (paired rounds: median %.2f, %.2f to %.2f)\n", paired, ratio[1], ratio[nr]
    printf "%.0f GFLOP/s of direct convolution, %.2f times the machine'"'"'s f32 peak of %.0f;", speed, speed / peak, peak
    printf " its products alone %.0f GFLOP/s, %.0f %% of peak\n", speed * done, 100 * speed * done / peak
    printf "onnxruntime %.0f GFLOP/s, %.0f %% of peak\n", flop / other_ms * 1e3, 100 * flop / other_ms * 1e3 / peak
    printf "largest difference of the picture %.3g, PSNR %.0f dB; peak memory %d MB against %d MB\n", largest, psnr, memory, other_memory
}' "$work/log"
