#!/usr/bin/env bash
# Checks that need a GPU: `bash tests/by_hand/gpu.sh OUT [tests|benchmark|train]...`, by default all.
#   tests      tests/test_gpu.py
#   benchmark  the GPU tables of tools/benchmark/README.md, the most important first
#   train      the README's training in float32, float16 and bfloat16, at the same time
# Every step has a time limit of its own; all limits together are 10 minutes, meant for one H100 with
# 16 cores. Each step leaves its log or table in the folder OUT when it ends, and prints it.
set -uo pipefail
cd "$(dirname "$0")/../.."
out=$(realpath -m "${1:?usage: gpu.sh OUT [tests|benchmark|train]...}")
shift
mkdir -p "$out"
CONFIG=configs/msf/msf_resnet18_1xb16-10e_digits-64px.py
COCO=6xb21-80e_coco14-448px.py
MSF=configs/msf/msf_resnet101_$COCO
LITE=configs/msf/msf-lite_resnet101_$COCO
BASE=configs/baselines

# limited SECONDS NAME COMMAND...: run a command and say so if it fails or runs out of time
limited() {
    local seconds=$1 name=$2 status=0
    shift 2
    timeout --kill-after=5 "$seconds" "$@" || status=$?
    case $status in
        0) ;;
        124 | 137) echo "$name: stopped after $seconds s" ;;
        *) echo "$name: exit status $status" ;;
    esac
}

tests() {
    MMMSF_TEST_GPU=1 limited 200 tests \
        python3 -m pytest -q -n 6 --durations=10 tests/test_gpu.py > "$out/tests.log" 2>&1
    tail -n 40 "$out/tests.log"
}

# measure SECONDS NAME ARGUMENT...: a table in OUT/NAME.md
measure() {
    local seconds=$1 name=$2
    shift 2
    limited "$seconds" "$name" python3 "$@" --device cuda > "$out/$name.md" 2> "$out/$name.log"
    [ -s "$out/$name.md" ] || tail -n 5 "$out/$name.log"
    cat "$out/$name.md"
}

benchmark() {
    local all="$BASE/linear_resnet101_$COCO $MSF $BASE/q2l_resnet101_$COCO
        $BASE/ml-decoder_resnet101_$COCO $LITE"
    local tool=tools/benchmark/models.py
    # shellcheck disable=SC2086,SC2046  # lists of arguments
    {
        measure 70 inference $tool $all --tf32 --batch 1 64 --rounds 5
        measure 80 train-amp $tool $(printf '%s:amp ' $all) --what train memory --batch 21 --rounds 5
        measure 80 modes $tool --tf32 --batch 1 64 --rounds 5 \
            $MSF:eager,channels_last,amp,bf16,bf16+channels_last,compiled,bf16+channels_last+compiled
        measure 40 head tools/benchmark/head.py --tf32 --batch 21 64 --rounds 5
        measure 50 train $tool $all --tf32 --what train memory --batch 21 --rounds 3
    }
}

# train_in NAME OPTION...: a training in OUT/NAME
train_in() {
    local name=$1
    shift
    limited 80 "$name" python3 tools/train.py $CONFIG --work-dir "$out/$name" "$@" \
        > "$out/$name.log" 2>&1
    echo "$name: $(grep -c 'Epoch(val)' "$out/$name.log") lines of validation, the last:"
    grep 'Epoch(val)' "$out/$name.log" | tail -n 1
    rm -f "$out/$name"/*.pth
}

train() {
    train_in float32 &
    train_in float16 --amp &
    train_in bfloat16 --amp --cfg-options optim_wrapper.dtype=bfloat16 &
    wait
}

for step in "${@:-tests benchmark train}"; do
    for name in $step; do
        $name
    done
done
