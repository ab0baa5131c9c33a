#!/bin/bash
# Version: February-04-2025
# A small price script of this project's own, with its targets from the environment.
order=$(jq .)
[[ $(jq -r 'has("price")' <<<"$order") == true ]] || exit 1
amount=$(jq -r '.price.amount' <<<"$order")
source=https://api.diadata.org/
cpu=$(jq '[.resources[] | .cpu * .count] | add / 1000' <<<"$order")
disk=$(jq '[.resources[] | (.storage[] | .size // 0) * .count] | add' <<<"$order")
TARGET_CPU="${PRICE_TARGET_CPU:-1.60}"   # USD a thread
TARGET_MEMORY="${PRICE_TARGET_MEMORY:-0.80}"
TARGET_ENDPOINT="${PRICE_TARGET_ENDPOINT:-0.10}"
gpu_mappings=$PRICE_TARGET_GPU_MAPPINGS
gpu_unit_max_price=100
gpu_price_total=0
while read -r resource; do
  model=$(jq -r '.gpu.attributes.vendor | (.nvidia // .amd).model' <<<"$resource")
  interface=$(jq -r '.gpu.attributes.vendor.nvidia.interface // 0' <<<"$resource")
  count=$(jq .count <<<"$resource") gpu_units=$(jq .gpu.units <<<"$resource") price=100
  gpu_price_total=$(bc -l <<<"$gpu_price_total + ($count * $gpu_units * $price)")
done < <(jq -c '.resources[]' <<<"$order")
case "$(jq -r .price.denom <<<"$order")" in
  "uact") printf "%.*f" 6 "$gpu_price_total" ;;
  ibc/170C677610AC31DF0904FFE09CD3B5C657492170E7E52372E48756B71E56F2F1) printf "%.*f" 6 "$gpu_price_total" ;;
esac
