#!/usr/bin/env bash
# Finds tests that do not pass every time: scripts/steady.sh [PACKAGE...], by default ./...
#
# Each package is compiled once and then run TIMES times (default 20), each time in a new process and in another order.
# The orders follow from SEED (default: the time), which is printed: run k of every package is shuffled with SEED+k.
# One package runs at a time, so that tests compete with nothing but themselves; start busy loops beside it for more.
# At the end it lists the packages and tests that failed at least once, and the command that repeats each. It exits with 1
# if there is one.
set -euo pipefail
cd "$(dirname "$0")/.."
times=${TIMES:-20}
seed=${SEED:-$(date +%s)}
limit=${LIMIT:-10m}
[ $# -gt 0 ] || set -- ./...

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
echo "steady: $times runs of each package, seed $seed (repeat with: make steady TIMES=$times SEED=$seed PKGS='$*')"

go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}} {{.Dir}}{{end}}' "$@" >"$work/packages"
[ -s "$work/packages" ] || { echo "steady: no package with tests in $*" >&2; exit 1; }

# failures FILE prints the names of the tests that a run's output says have failed, or how the run ended without one.
failures() {
	sed -nE 's/^ *--- FAIL: ([^ ]+) .*/\1/p; s/^(panic: .*|fatal error: .*|goleak: .*)/\1/p' "$1" | sort -u
}

while read -r package directory; do
	started=$SECONDS failed=0
	if ! go test -c -o "$work/tests" "$package" >"$work/log" 2>&1; then
		cat "$work/log"
		printf '%s does not compile\tgo test -c %s\n' "$package" "$package" >>"$work/unsteady"
		continue
	fi
	for ((run = 1; run <= times; run++)); do
		order=$((seed + run))
		if (cd "$directory" && exec "$work/tests" -test.timeout="$limit" -test.shuffle="$order") </dev/null >"$work/log" 2>&1; then
			continue
		fi
		failed=$((failed + 1))
		echo "steady: run $run of $package failed:"
		tail -n 60 "$work/log"
		failures "$work/log" >"$work/names"
		[ -s "$work/names" ] || echo "(no test is named)" >"$work/names"
		while read -r name; do
			printf '%s %s\tgo test -count=1 -shuffle=%s %s\n' "$package" "$name" "$order" "$package" >>"$work/unsteady"
		done <"$work/names"
	done
	rm -f "$work/tests"
	printf 'steady: %-4s %-50s %d of %d passed, %d s\n' "$([ $failed = 0 ] && echo ok || echo FAIL)" "$package" $((times - failed)) "$times" $((SECONDS - started))
done <"$work/packages"

if [ -s "$work/unsteady" ]; then
	echo "steady: did not pass every time:"
	awk -F '\t' '!($1 in failed) { order[++n] = $1; again[$1] = $2 } { failed[$1]++ }
		END { for (i = 1; i <= n; i++) printf "  %s: failed %d times; again: %s\n", order[i], failed[order[i]], again[order[i]] }' "$work/unsteady"
	exit 1
fi
echo "steady: every package passed $times times, $SECONDS s"
