// Package vocabulary knows which values the chart of the Akash provider reads, version by version, and which of its
// versions are known to be bad. Helm takes any value and says nothing of one that no template reads: a misspelt price
// is then no price.
//
// It is data and pure. It knows no other chart, and does not judge what a value means.
package vocabulary

import (
	_ "embed"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// Chart is the name of the chart.
const Chart = "provider"

// table has a value a line: its path, the first version that reads it and, where it does no longer, the first that
// does not. It was read out of values.yaml and the templates of every version of charts/akash-provider from 6.0.4 to
// 19.0.2 in akash-network/helm-charts (f3d8d46).
//
//go:embed values.txt
var table string

// Value is one value that the chart reads.
type Value struct {
	Path string
	// Since is the first version that reads it; Until, if not empty, the first that does not.
	Since, Until string
}

// Values returns all values, sorted by their paths.
func Values() []Value {
	var out []Value
	for line := range strings.Lines(table) {
		fields := append(strings.Fields(line), "")
		out = append(out, Value{Path: fields[0], Since: fields[1], Until: fields[2]})
	}
	return out
}

// readBy says which values a version of the chart reads. A text that is no version reads every value that any version
// does. The table has hundreds of values and a few versions: each version is parsed once.
func readBy(version string) func(Value) bool {
	earlier := earlierThan(version)
	return func(v Value) bool {
		return !earlier(v.Since) && (v.Until == "" || version == "" || earlier(v.Until))
	}
}

// earlierThan says whether a version is older than another one. A text that is no version is never older.
func earlierThan(version string) func(other string) bool {
	v, err := semver.NewVersion(version)
	known := map[string]bool{}
	return func(other string) bool {
		if err != nil {
			return false
		}
		is, seen := known[other]
		if !seen {
			than, wrong := semver.NewVersion(other)
			is = wrong == nil && v.LessThan(than)
			known[other] = is
		}
		return is
	}
}

// open are the values whose inner keys are Kubernetes' or the operator's own.
var open = []string{"affinity", "attributes", "imagePullSecrets", "ingress.annotations", "nodeSelector",
	"podSecurityContext", "resources",
	"securityContext", "serviceAccount.annotations", "tolerations"}

// global is a value that Helm itself knows.
const global = "global"

// Unread is a value that a version of the chart does not read.
type Unread struct {
	Path string
	// Since is the version from which the chart reads it, Until the one from which it does not; empty for a value that
	// no version reads.
	Since, Until string
}

// UnreadValues returns the values of a tree that a version of the chart does not read, sorted by their paths; of a
// tree within the tree that is not read, its root alone.
func UnreadValues(version string, tree map[string]any) []Unread {
	known := map[string]Value{}
	for _, v := range Values() {
		known[v.Path] = v
	}
	reads := readBy(version)
	var out []Unread
	var walk func(tree map[string]any, prefix string)
	walk = func(tree map[string]any, prefix string) {
		for key, value := range tree {
			path := prefix + key
			v, ok := known[path]
			switch {
			case path == global:
			case !ok:
				out = append(out, Unread{Path: path})
			case !reads(v):
				out = append(out, Unread{Path: path, Since: v.Since, Until: v.Until})
			case !slices.Contains(open, path):
				if inner, is := value.(map[string]any); is {
					walk(inner, path+".")
				}
			}
		}
	}
	walk(tree, "")
	slices.SortFunc(out, func(a, b Unread) int { return strings.Compare(a.Path, b.Path) })
	return out
}

// Keys are the words of the paths of all values that any version of the chart reads, sorted.
func Keys() []string {
	var out []string
	for _, v := range Values() {
		out = append(out, strings.Split(v.Path, ".")...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Paths are the values that a version of the chart reads, sorted.
func Paths(version string) []string {
	var out []string
	reads := readBy(version)
	for _, v := range Values() {
		if reads(v) {
			out = append(out, v.Path)
		}
	}
	return out
}

// Bad is something that is known against a range of versions of the chart.
type Bad struct {
	// From is the first bad version, Before the first that is good again; either may be empty.
	From, Before string
	// Why says what happens, Instead what to take, Source where it is known from.
	Why, Instead, Source string
	// Value is the value that it depends on; empty: the version is bad with any.
	Value string
}

// KnownBad are versions of the chart that are known to be bad.
func KnownBad() []Bad {
	return []Bad{
		{
			Before: "6.0.5", Why: "the chart does not read price_target_*, so declared prices have no effect", Instead: "6.0.5 or newer",
			Source: "akash-network/helm-charts#226",
		},
		{
			From: "6.0.5", Before: "11.6.1", Why: "every start of the pod runs `apt install`, so the provider does not start without internet access",
			Instead: "11.6.1 or newer", Source: "akash-network/helm-charts, charts/akash-provider/templates at 11.6.0",
		},
		{
			Before: "11.5.5", Why: "the provider closes leases after about 8 minutes of a failing deployment or Kubernetes API",
			Instead: "11.5.5 or newer, or declare monitor.maxRetries where the chart reads it", Source: "akash-network/support#245, akash-network/provider#64",
		},
		{
			Before: "11.4.0", Why: "a restart of the provider may close leases (programs up to 0.6.4)", Instead: "11.4.0 or newer",
			Source: "akash-network/support#128, #265, #270",
		},
		{
			From: "11.6.4", Before: "12.1.3", Why: "a change of prices alone does not restart the pod, so the pod keeps the old prices; upkeep restarts the pod",
			Instead: "12.1.3 or newer", Source: "rendered with `helm template`: akash-network/helm-charts, ConfigMap akash-provider-pricing",
		},
		{
			From: "12.0.0", Value: "letsEncrypt.enabled", Why: "with letsEncrypt.enabled = false the chart renders variables where Kubernetes takes none",
			Instead: "the default of letsEncrypt.enabled", Source: "rendered with `helm template` at 19.0.2",
		},
	}
}

// Against returns what is known against a version, whatever its values.
func Against(version string) []Bad {
	if _, err := semver.NewVersion(version); err != nil {
		return nil
	}
	var out []Bad
	older := earlierThan(version)
	for _, b := range KnownBad() {
		if b.Value == "" && (b.From == "" || !older(b.From)) && (b.Before == "" || older(b.Before)) {
			out = append(out, b)
		}
	}
	return out
}
