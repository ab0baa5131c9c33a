#!/usr/bin/env bash
# Runs every fuzz target of the module: scripts/fuzz.sh 10s, or scripts/fuzz.sh 1000x for a number of inputs.
#
# Inputs that reach something new are made smaller 100 times at most: by default the fuzzer spends a minute on each of them, and a
# target with inputs of some kilobytes then tries nothing else.
#
# With "light" as a second argument it leaves out packages that link client-go: the fuzzer instruments every dependency,
# and to compile that one anew takes longer than all targets together. Their seeds run with `go test` all the same.
set -euo pipefail
cd "$(dirname "$0")/.."
amount=${1:-10s}
weight=${2:-all}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cache=$(go env GOCACHE)/fuzz # as `go test -fuzz` has it
module=$(go list -m)
grep -rlE --include='*_test.go' '^func Fuzz' . | grep -v '^./acceptance/' | xargs -n 1 dirname | sort -u | while read -r package; do
	if [ "$weight" = light ]; then
		dependencies=$(go list -deps -test "$package") # whole: a pipe that grep -q leaves early counts as failed
		if grep -q '^k8s.io/client-go/' <<<"$dependencies"; then
			continue
		fi
	fi
	# One link for all targets of a package.
	go test -c -fuzz=. -o "$work/fuzz.test" "$package"
	sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$package"/*_test.go | while read -r target; do
		echo "fuzz $package $target $amount"
		(cd "$package" && "$work/fuzz.test" -test.run '^$' -test.fuzz "^$target\$" -test.fuzztime "$amount" \
			-test.fuzzminimizetime 100x -test.fuzzcachedir "$cache/$module/${package#./}") </dev/null >"$work/log" 2>&1 || {
			cat "$work/log"
			exit 1
		}
	done
done
