#!/usr/bin/env bash
# Runs every fuzz target of the module: scripts/fuzz.sh 10s, or scripts/fuzz.sh 1000x for a number of inputs.
#
# Inputs that reach something new are made smaller 100 times at most: by default the fuzzer spends a minute on each of them, and a
# target with inputs of some kilobytes then tries nothing else.
#
# Each package is linked once for all of its targets. With "light" as a second argument only code of this module tells the fuzzer
# what an input reached: all other packages are then those that tests are built of, client-go among them, and need not be
# compiled anew. It also begins with the seeds alone, not with what earlier runs found.
set -euo pipefail
cd "$(dirname "$0")/.."
amount=${1:-10s}
weight=${2:-all}
module=$(go list -m)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
case $weight in
light) instrument=(-gcflags="$module/...=-d=libfuzzer") found=$work/found ;;
*) instrument=(-fuzz=.) found=$(go env GOCACHE)/fuzz ;;
esac
grep -rlE --include='*_test.go' '^func Fuzz' . | grep -v '^./acceptance/' | xargs -n 1 dirname | sort -u | while read -r package; do
	go test -c "${instrument[@]}" -o "$work/tests" "$package" </dev/null
	sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$package"/*_test.go | sort | while read -r target; do
		echo "fuzz $package $target $amount"
		(cd "$package" && exec "$work/tests" -test.run='^$' -test.fuzz="^$target\$" -test.fuzztime="$amount" -test.fuzzminimizetime=100x \
			-test.fuzzcachedir="$found/$module/$package") </dev/null >"$work/log" 2>&1 || {
			cat "$work/log"
			exit 1
		}
	done
done
