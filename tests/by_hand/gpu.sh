#!/usr/bin/env bash
# What needs a GPU: `bash tests/by_hand/gpu.sh OUT [tests|train|benchmark]...`, by default all three.
# Logs and tables are left in the folder OUT; the last lines of each step are printed.
#   tests      tests/test_gpu.py
#   train      the README's training in float32, float16 and bfloat16, all at once
#   benchmark  the tables of tools/benchmark/README.md that name a GPU
# One step after the other takes about 15 minutes of an H100 with 16 cores.
set -uo pipefail
cd "$(dirname "$0")/../.."
out=$(realpath -m "${1:?usage: gpu.sh OUT [tests|train|benchmark]...}")
shift
mkdir -p "$out"
CONFIG=configs/msf/msf_resnet18_1xb16-10e_digits-64px.py
COCO=6xb21-80e_coco14-448px.py
MSF=configs/msf/msf_resnet101_$COCO
LITE=configs/msf/msf-lite_resnet101_$COCO
BASE=configs/baselines

tests() {
    MMMSF_TEST_GPU=1 python3 -m pytest -q -n 6 tests/test_gpu.py > "$out/tests.log" 2>&1
    tail -n 30 "$out/tests.log"
}

train() {
    local name
    python3 tools/train.py $CONFIG --work-dir "$out/float32" > "$out/float32.log" 2>&1 &
    python3 tools/train.py $CONFIG --work-dir "$out/float16" --amp > "$out/float16.log" 2>&1 &
    python3 tools/train.py $CONFIG --work-dir "$out/bfloat16" --amp --cfg-options \
        optim_wrapper.dtype=bfloat16 > "$out/bfloat16.log" 2>&1 &
    wait
    for name in float32 float16 bfloat16; do
        echo "$name: $(grep -c 'Epoch(val)' "$out/$name.log") lines of validation, the last:"
        grep 'Epoch(val)' "$out/$name.log" | tail -n 1
        rm -rf "$out/$name"/*.pth
    done
}

# measure NAME ARGUMENT...: a table in OUT/NAME.md
measure() {
    local name=$1
    shift
    python3 "$@" --device cuda > "$out/$name.md" 2> "$out/$name.log" || tail -n 5 "$out/$name.log"
    cat "$out/$name.md"
}

benchmark() {
    local all="$BASE/linear_resnet101_$COCO $MSF $BASE/q2l_resnet101_$COCO
        $BASE/ml-decoder_resnet101_$COCO $LITE"
    local tool=tools/benchmark/models.py
    measure inference $tool $all --tf32 --batch 1 64 --rounds 9
    measure train-amp $tool $(printf '%s:amp ' $all) --what train memory --batch 21 --rounds 9
    measure head tools/benchmark/head.py --tf32 --batch 21 64 --rounds 9
    measure train $tool $all --tf32 --what train memory --batch 21 --rounds 9
    measure inference-float32 $tool $all --batch 64 --rounds 5
    measure modes $tool --tf32 --batch 1 64 --rounds 9 \
        $MSF:eager,channels_last,folded,amp,bf16,bf16+folded+channels_last,compiled,bf16+folded+channels_last+compiled
}

for step in "${@:-tests train benchmark}"; do
    for name in $step; do
        $name
    done
done
