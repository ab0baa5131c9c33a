#!/bin/bash
# The arithmetic of the newest bid price script, in the tools that such scripts use, for a measurement only: an order on
# standard input, targets in the environment, the price of AKT in AKT. It knows objects in uact and uakt.
set -o pipefail
order=$(jq .)
denom=$(jq -r .price.denom <<<"$order") amount=$(jq -r .price.amount <<<"$order") places=$(jq -r '.price_precision // 6' <<<"$order")
list=$(jq .resources <<<"$order")

gib() { jq -r "$1 / pow(1024; 3)" <<<"$list" | awk '{ printf "%.12f", $0 }'; }
class() { gib "[.[] | .count as \$n | .storage[] | (if .class == \"$1\" then .size // 0 else 0 end) * \$n] | add"; }
cpu=$(jq -r '([.[] | .cpu * .count] | add) / 1000' <<<"$list")
memory=$(gib '([.[] | .memory * .count] | add)')
ephemeral=$(class ephemeral) hdd=$(class beta1) ssd=$(class beta2) nvme=$(class beta3)
ips=$(jq -r '[.[] | .ip_lease_quantity // 0] | add' <<<"$list")
endpoints=$(jq -r '[.[] | .endpoint_quantity // 0] | add' <<<"$list")

declare -A prices=()
IFS=, read -ra items <<<"$PRICE_TARGET_GPU_MAPPINGS"
top=100
for item in "${items[@]}"; do
  prices[${item%%=*}]=${item#*=}
  [ "$(bc <<<"${item#*=} > $top")" = 1 ] && top=${item#*=}
done
gpus=0
while read -r entry; do
  count=$(jq -r .count <<<"$entry")
  units=$(jq -r '.gpu.units // 0' <<<"$entry")
  name=$(jq -r '.gpu.attributes.vendor | (.nvidia // .amd // {}).model // 0' <<<"$entry")
  ram=$(jq -r '.gpu.attributes.vendor.nvidia.ram // 0' <<<"$entry")
  interface=$(jq -r '.gpu.attributes.vendor.nvidia.interface // 0' <<<"$entry")
  [ "$ram" = 0 ] || name+=.$ram
  [ "$interface" = 0 ] || name+=.$interface
  price=${prices[$name]:-${prices[${name%.*}]:-${prices[${name%%.*}]:-$top}}}
  gpus=$(bc -l <<<"$gpus + ($count * $units * $price)")
done < <(jq -c '.[]' <<<"$list")

usd=$(bc -l <<<"$cpu * ${PRICE_TARGET_CPU:-1.60} + $memory * ${PRICE_TARGET_MEMORY:-0.80} + $ephemeral * 0.02 + $hdd * 0.01 + $ssd * 0.03 + $nvme * 0.04 + $endpoints * 0.05 + $ips * 5 + $gpus")
akt=$(bc -l <<<"$usd / $AKT") akt=$(bc -l <<<"$akt * 1000000")
rate=$(bc -l <<<"$akt / 429909")
[ "$denom" = uact ] && rate=$(bc -l <<<"$usd / 429909") && rate=$(bc -l <<<"$rate * 1000000")
[ "$(bc <<<"$rate > $amount")" = 1 ] && exit 1
printf "%.*f" "$places" "$rate"
