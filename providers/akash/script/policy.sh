#!/bin/bash
# upkeep policy GENERATOR, bid script VERSION, sha256 DIGEST
# Written by upkeep from the block price_targets. Change the block, and not this file.
if [ "$1" != published ]; then
  set -o pipefail
  policy=$(jq -c . <<'UPKEEP_POLICY'
POLICY
UPKEEP_POLICY
  ) || exit 1
  order=$(cat)
  refusal=$(jq -rs '
    def names:
      (.model // "" | ascii_downcase) as $model | (.ram // "") as $ram
      | (.interface // "" | ascii_downcase | if startswith("sxm") then "sxm" else . end) as $interface
      | [$model, "\($model).\($ram)", "\($model).\($interface)", "\($model).\($ram).\($interface)"];
    def listed($list): any(.[]; . as $name | any($list[]?; . == $name));
    . as [$policy, $order]
    | (env.AKASH_OWNER // "") as $owner
    | [$order | (if type == "object" then .resources else . end)[] | .gpu // {} | select((.units // 0) > 0)
        | .attributes.vendor // {} | .nvidia // .amd // {} | names] as $asked
    | ($policy.deny // {}) as $deny | ($policy.allow // {}) as $allow
    | if ($deny.accounts or $allow.accounts) and $owner == "" then "AKASH_OWNER is not set"
      elif any($deny.accounts[]?; . == $owner) then "\($owner) is denied"
      elif $allow.accounts and all($allow.accounts[]; . != $owner) then "\($owner) is not allowed"
      elif $policy.gpu_only and ($asked | length) == 0 then "the order asks for no GPU"
      else first(
        ($asked[] | select(listed($deny.models)) | "the model \(.[0]) is denied"),
        ($asked[] | select($allow.models and (listed($allow.models) | not)) | "the model \(.[0]) is not allowed"),
        "")
      end' <<<"$policy $order") || exit 1
  if [ -n "$refusal" ]; then
    printf '%s' "upkeep policy: $refusal" >&2
    exit 1
  fi
  answer=$("$BASH" "$0" published <<<"$order") || exit
  minimum=$(jq -r '.minimum // ""' <<<"$policy")
  if [ -n "$minimum" ] && [[ $answer =~ ^[0-9]+([.][0-9]+)?$ ]] && [ "$(bc <<<"$answer > 0")" = 1 ]; then
    read -r denom places amount < <(jq -r 'if type == "object" and has("price")
      then [.price.denom, .price_precision // 6, .price.amount] else ["uakt", 0, ""] end | map(tostring) | join(" ")' <<<"$order")
    if [ "$denom" = uakt ]; then
      rate=$(bc -l <<<"$minimum / $(cat /tmp/aktprice.cache) * 1000000 / 429909")
    else
      rate=$(bc -l <<<"$minimum / 429909 * 1000000")
    fi
    printf -v floor '%.*f' "$places" "$rate"
    if [ "$(bc <<<"$floor > $answer")" = 1 ]; then
      answer=$floor
      if [ -n "$amount" ] && [ "$(bc <<<"$floor > $amount")" = 1 ]; then
        printf '%s' "upkeep policy: requested rate is too low. min expected $floor$denom" >&2
        exit 1
      fi
    fi
  fi
  printf '%s' "$answer"
  exit
fi
# The published script follows, byte for byte.
