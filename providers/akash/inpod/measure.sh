# Asks the container of an Akash provider what only the container can tell. It changes nothing of the provider's: it sends no
# transaction, prints no key, and what it writes lies in a directory of its own, which it removes however it ends.
#
#   bash -c TEXT NAME OWNER DENOM [ORDER...]
#
# Each order is one line of JSON. It prints lines of words, with what is foreign in base64; report.go reads them.
export LC_ALL=C
umask 077
find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'upkeep-measure.*' -mmin +15 -exec rm -rf {} + 2>/dev/null # of a run that was killed
dir=$(mktemp -d "${TMPDIR:-/tmp}/upkeep-measure.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM PIPE
for tool in base64 timeout sed sha256sum head date tr; do
  command -v "$tool" >/dev/null || { echo "the container has no $tool" >&2; exit 1; }
done
owner=$1 denom=$2
shift 2
ulimit -f 4096 # KiB, for each file that is written below

encode() { head -c "$1" "${@:2}" | base64 | tr -d '\n'; }

# bounded SECONDS COMMAND... runs a command; told WORD BYTES prints its status and the beginning of what it printed.
bounded() {
  timeout -k 1 "$@" >"$dir/out" 2>"$dir/err"
  echo $? >"$dir/status"
}
told() {
  echo "$1 $(cat "$dir/status") $(encode "$2" "$dir/out"),$(sed "s#$dir/tmp/#/tmp/#g; s#$dir/##g" "$dir/err" | encode 2048)"
}

echo "upkeep-measure 1"
echo "clock $(date +%s)"

# The script runs as the provider runs it, but what it keeps between runs lies in the directory above, no list of tenants is
# fetched, and curl and wget answer nothing: the price of AKT is the one that the provider itself has fetched last.
mkdir "$dir/bin" "$dir/tmp"
printf '#!/bin/sh\nexit 7\n' >"$dir/bin/curl"
cp "$dir/bin/curl" "$dir/bin/wget"
chmod 700 "$dir/bin/curl" "$dir/bin/wget"
script=$AKASH_BID_PRICE_SCRIPT_PATH
if [ $# -eq 0 ]; then
  echo "script none"
elif [ -z "$script" ] || [ ! -r "$script" ]; then
  echo "script missing"
else
  echo "script $(sha256sum <"$script" | head -c 64)"
  sed "s#/tmp/#$dir/tmp/#g" "$script" >"$dir/script"
  chmod 700 "$dir/script"
  if [ -r /tmp/aktprice.cache ]; then
    head -c 64 /tmp/aktprice.cache >"$dir/tmp/aktprice.cache"
    echo "akt $(encode 64 "$dir/tmp/aktprice.cache")"
  fi
  bounded 5 jq --version </dev/null
  told jq 64
  for name in "${!PRICE_TARGET_@}"; do
    echo "target $(printf '%s=%s' "$name" "${!name}" | encode 16384)"
  done
  for order in "$@"; do
    printf '%s\n' "$order" >"$dir/order"
    (
      unset WHITELIST_URL
      export PATH=$dir/bin:$PATH TMPDIR=$dir/tmp AKASH_OWNER=$owner AKASH_DENOM=$denom
      bounded 10 "$dir/script" <"$dir/order"
    )
    told answer 4096
  done
fi

# The provider's own client and its RPC node, as the chart asks them before it starts the provider. All are queries.
address=$AKASH_FROM
case $address in
  akash1*) ;;
  *) address=$(timeout -k 1 5 provider-services keys show "$AKASH_FROM" -a </dev/null 2>/dev/null | head -c 128) ;;
esac
bounded 15 provider-services query bank balances "$address" -o json </dev/null
told balance 65536
bounded 8 curl -s --connect-timeout 4 --max-time 7 "$AKASH_NODE/status" </dev/null
told status 65536
echo "end"
