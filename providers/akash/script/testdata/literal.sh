#!/bin/bash
# Version: Sept-08-2023
# A small price script of this project's own, with its targets as literals.
order=$(jq .)
[[ $(jq -r 'has("price")' <<<"$order") == true ]] || exit 1
amount=$(jq -r '.price.amount' <<<"$order")
cpu=$(jq '[.resources[] | .cpu * .count] | add / 1000' <<<"$order")
disk=$(jq '[.resources[] | (.storage[] | .size // 0) * .count] | add' <<<"$order")
units=$(jq '[.resources[] | .gpu.units * .count] | add' <<<"$order")
TARGET_CPU="1.75"          # USD a thread
TARGET_MEMORY="0.80"
TARGET_HD_EPHEMERAL="0.02"
TARGET_HD_PERS_HDD="0.01"
TARGET_HD_PERS_SSD="0.03"
TARGET_HD_PERS_NVME="0.04"
TARGET_ENDPOINT="0"
TARGET_IP="5"
TARGET_GPU_UNIT="80.5"     # USD a GPU
case "$(jq -r .price.denom <<<"$order")" in
  ibc/170C677610AC31DF0904FFE09CD3B5C657492170E7E52372E48756B71E56F2F1)
    printf "%.*f" 6 "$(bc -l <<<"$cpu * $TARGET_CPU + $disk * $TARGET_HD_EPHEMERAL + $units * $TARGET_GPU_UNIT")" ;;
esac
