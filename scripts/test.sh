#!/usr/bin/env bash
# Runs go test with its arguments and says every few seconds that it is still at work: scripts/test.sh -timeout 20m ./...
#
# go test prints a package's line only when the package has ended and all before it have. Meanwhile this prints, on
# standard error, how much time has passed and which packages' tests run just now. go test's own lines go to standard
# output as they are, and its exit code is the script's. At the end it names packages that took longer than SLOW seconds.
set -uo pipefail
cd "$(dirname "$0")/.."
every=${EVERY:-8}
slow=${SLOW:-90}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# running PID prints the directories whose tests that go command runs: they are its children by the name of NAME.test.
running() {
	local process fields
	for process in /proc/[0-9]*; do
		[[ "$(readlink "$process/exe" 2>/dev/null)" == *.test ]] || continue
		fields=$(cat "$process/stat" 2>/dev/null) || continue
		fields=${fields##*) } # what follows the name: state, parent
		[ "$(cut -d ' ' -f 2 <<<"$fields")" = "$1" ] || continue
		readlink "$process/cwd" 2>/dev/null
	done | sed "s|^$PWD/\{0,1\}|./|" | sort -u | paste -s -d ' ' -
}

# In the background, for the shell hears of a signal only while it waits. Go's own process is found by its number.
(
	bash -c 'echo $$ >"$0"; exec go test "$@"' "$work/pid" "$@" </dev/null | tee "$work/lines"
	exit "${PIPESTATUS[0]}"
) &
tests=$!
trap 'kill -INT "$(cat "$work/pid")" 2>/dev/null' INT TERM
(
	began=$SECONDS
	while sleep "$every"; do
		now=$(running "$(cat "$work/pid")")
		echo "test: $((SECONDS - began)) s: ${now:-compiling, or tests that ran before are being looked up}" >&2
	done
) &
progress=$!
wait "$tests"
status=$?
while kill -0 "$tests" 2>/dev/null; do wait "$tests"; status=$?; done # a signal ends a wait early
kill "$progress" 2>/dev/null
wait "$progress" 2>/dev/null
sed -nE 's/^(ok|FAIL)[[:space:]]+([^[:space:]]+)[[:space:]]+([0-9]+)\.[0-9]+s.*/\3 \2/p' "$work/lines" | while read -r took package; do
	[ "$took" -le "$slow" ] || echo "test: $package took $took s, more than $slow s" >&2
done
exit "$status"
