#!/usr/bin/env bash
# Runs every fuzz target of the module for a while: scripts/fuzz.sh 10s
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-10s}
grep -rlE --include='*_test.go' '^func Fuzz' . | grep -v '^./acceptance/' | sort | while read -r file; do
	package=$(dirname "$file")
	sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$file" | while read -r target; do
		echo "fuzz $package $target $time"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package" </dev/null >/tmp/fuzz.$$ 2>&1 || { cat /tmp/fuzz.$$; rm -f /tmp/fuzz.$$; exit 1; }
		rm -f /tmp/fuzz.$$
	done
done
