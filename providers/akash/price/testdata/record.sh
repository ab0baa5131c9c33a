#!/bin/bash
# Records what real scripts answer to the cases of cases.json, as recorded.jsonl. Not part of any test: the recording is.
#
#   record.sh DIR [OUT [EVERY]]
#
# DIR holds the scripts, which are not ours to ship, as VERSION.sh. They are revisions of
# charts/akash-provider/scripts/price_script_generic.sh in akash-network/helm-charts:
#   June-14-2023 7f33e53  June-25-2023 91dc21f  Aug-08-2023 873a5ab  Aug-14-2023 7888545  Aug-16-2023 2146854
#   Sept-08-2023 344331f  Sept-19-2023 38bf25f  Nov-03-2023 b94220e  November-16-2023 31f9c4c  February-27-2024 6463f35
#   March-27-2024 c762e1a  April-03-2024 846ca04  February-04-2025 8b63285  February-04-2025+uact 9a15a37
#
# The price of AKT is put where the script keeps it between runs, and curl answers nothing; a case with "api" has it answer that
# price instead, with nothing kept. So is the whitelist of a case put where the script keeps it; without one it cannot be fetched. Versions whose targets are literals
# get those of a case as literals. Recorded with bash 5.2, GNU bc 1.07.1, jq 1.6 and mawk 1.3.4.
# Each line names the jq that answered: the provider's images have 1.7.1, whose numbers can have other digits. OUT is written in the
# place of recorded.jsonl, EVERY = 16 records the first line of sixteen.
set -u
scripts=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

one() { # VERSION INDEX
  local case script=$scripts/$1.sh dir=$work/$1.$2 akt name value
  mkdir "$dir"
  case=$(jq -c ".[$2]" "$here/cases.json")
  akt=$(jq -r .akt <<<"$case")
  if [ "$(jq -r '.api // false' <<<"$case")" = true ]; then
    jq -n --arg akt "$akt" '{Price: $akt, price: $akt}' >"$dir/api"
  else
    [ -z "$akt" ] || echo "$akt" >"$dir/akt"
  fi
  jq -e 'has("whitelist")' <<<"$case" >/dev/null && jq -j .whitelist <<<"$case" >"$dir/whitelist"
  mkdir "$dir/bin"
  printf '#!/bin/sh\n[ "$1" != -o ] && exec cat %s/api 2>/dev/null\nexit 7\n' "$dir" >"$dir/bin/curl"
  chmod +x "$dir/bin/curl"
  sed "s#/tmp/aktprice.cache#$dir/akt#; s#/tmp/price-script.whitelist#$dir/whitelist#" "$script" >"$dir/script"
  local -a env=()
  while IFS=$'\t' read -r name value; do
    [ -n "$name" ] || continue
    env+=("$name=$value")
    [[ $name == PRICE_* ]] && NAME=${name#PRICE_} VALUE=$value awk '
      index($0, ENVIRON["NAME"] "=\"") == 1 && !/PRICE_TARGET/ { print ENVIRON["NAME"] "=\047" ENVIRON["VALUE"] "\047"; next } { print }
    ' "$dir/script" >"$dir/changed" && mv "$dir/changed" "$dir/script"
  done <<<"$(jq -r '.env | to_entries[] | [.key, .value] | join("\t")' <<<"$case")"
  jq -j .order <<<"$case" | env -i PATH="$dir/bin:$PATH" HOME="$dir" "${env[@]}" timeout 300 bash "$dir/script" >"$dir/out" 2>"$dir/err"
  jq -n --arg version "$1" --arg jq "$jq_version" --argjson case "$case" --rawfile out "$dir/out" --rawfile err "$dir/err" --argjson code $? --arg dir "$dir" \
    '{case: $case.name, version: $version, jq: $jq, stdout: $out, stderr: ($err | split($dir + "/akt") | join("/tmp/aktprice.cache") | split($dir + "/whitelist") | join("/tmp/price-script.whitelist") | split($dir + "/script: ") | join("")), exit_code: $code}' -c >"$dir/json"
  cat "$dir/json"
  rm -r "$dir"
}
export -f one
jq_version=$(jq --version)
export scripts here work jq_version

# One line a case and version, in the order of the cases.
jq -r 'to_entries[] | .key as $i | (if .value.versions == "all" then $all else .value.versions end) | split(" ")[] | "\(.) \($i)"' \
  --arg all "$(cd "$scripts" && ls -- *.sh | sed 's/\.sh$//' | LC_ALL=C sort | paste -sd ' ')" "$here/cases.json" | awk -v every="${3:-1}" '(NR - 1) % every == 0' >"$work/todo"
xargs -P "$(nproc)" -L1 bash -c 'one "$0" "$1" >"$work/$0.$1.line"' <"$work/todo"
while read -r version i; do cat "$work/$version.$i.line"; done <"$work/todo" >"${2:-$here/recorded.jsonl}"
