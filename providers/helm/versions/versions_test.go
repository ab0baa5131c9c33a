package versions_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
	"upkeep/providers/helm/versions"
)

func list(names ...string) []facts.ChartVersion {
	var out []facts.ChartVersion
	for _, name := range names {
		out = append(out, facts.ChartVersion{Name: "c", Version: name})
	}
	return out
}

func TestSort(t *testing.T) {
	got := versions.Sort(list("latest", "0.9.0", "v0.16.2", "0.16.10", "0.16.2-rc1", "abc"))
	if diff := cmp.Diff(list("0.16.10", "v0.16.2", "0.16.2-rc1", "0.9.0", "abc", "latest"), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestResolve(t *testing.T) {
	all := list("0.14.5", "0.15.0", "0.16.0-rc.1", "0.16.0", "0.16.1", "0.16.2", "1.0.0-beta", "v2.0.0+build.1")
	bad := []string{"0.16.0", "0.16.1"}
	for _, test := range []struct{ constraint, want, message string }{
		{"0.16.1", "0.16.1", ""}, // exact: the caller has said so
		{"v0.15.0", "0.15.0", ""},
		{"", "v2.0.0+build.1", ""},
		{">= 0.16, < 0.16.2", "", "known to be bad (0.16.0, 0.16.1)"},
		{"~0.16", "0.16.2", ""},
		{"<= 0.16.1", "0.15.0", ""},
		{"0.16.x", "0.16.2", ""},
		{">= 1.0.0-0 < 2", "1.0.0-beta", ""},
		{"2.0.0+build.1", "v2.0.0+build.1", ""},
		{"9.9.9", "", "there is no version 9.9.9; it has v2.0.0+build.1, 1.0.0-beta, 0.16.2, 0.16.1, 0.16.0 and 3 older"},
		{"> 9", "", `no version fits "> 9"`},
		{"nonsense", "", "version constraint"},
	} {
		t.Run(test.constraint, func(t *testing.T) {
			got, err := versions.Resolve(all, test.constraint, bad)
			if test.message != "" {
				if err == nil || !strings.Contains(err.Error(), test.message) {
					t.Errorf("got %v, %v; want %q", got, err, test.message)
				}
				return
			}
			if err != nil || got.Version != test.want {
				t.Errorf("got %q, %v; want %q", got.Version, err, test.want)
			}
		})
	}
	if _, err := versions.Resolve(nil, "1.0.0", nil); err == nil || !strings.Contains(err.Error(), "none at all") {
		t.Errorf("an empty source: %v", err)
	}
}

func TestKeep(t *testing.T) {
	all := list("0.17.0", "0.16.2", "0.16.1", "0.15.0")
	for _, test := range []struct{ name, running, constraint, want string }{
		{"what runs fits and stays", "0.16.2", ">= 0.15", "0.16.2"},
		{"a leading v is no difference", "v0.15.0", ">= 0.15", "0.15.0"},
		{"what runs does not fit", "0.15.0", ">= 0.16.2", "0.17.0"},
		{"what runs is known to be bad", "0.16.1", "~0.16", "0.16.2"},
		{"what runs is gone from the source", "0.16.3", "~0.16", "0.16.2"},
		{"nothing runs", "", "< 0.17", "0.16.2"},
		{"what runs is no version", "newest", "0.15.0", "0.15.0"},
		{"no constraint", "0.15.0", "", "0.15.0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := versions.Keep(all, test.running, test.constraint, []string{"0.16.1"})
			if err != nil || got.Version != test.want {
				t.Errorf("got %q, %v; want %q", got.Version, err, test.want)
			}
		})
	}
}

func TestNewest(t *testing.T) {
	all := append(list("1.0.0", "2.0.0-rc1"), facts.ChartVersion{Version: "1.1.0", Deprecated: true})
	if got, ok := versions.Newest(all); !ok || got.Version != "1.0.0" {
		t.Errorf("got %+v, %v", got, ok)
	}
	if _, ok := versions.Newest(list("1.0.0-rc1")); ok {
		t.Error("a pre-release is the newest release")
	}
}

func TestCompare(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"6.0.5", "12.0.0", -1}, {"12.0.0", "12.0.0", 0}, {"v19.0.2", "19.0.1", 1}} {
		if got, err := versions.Compare(test.a, test.b); err != nil || got != test.want {
			t.Errorf("%s, %s: %d, %v", test.a, test.b, got, err)
		}
	}
	if _, err := versions.Compare("x", "1.0.0"); err == nil {
		t.Error("x is a version")
	}
	if ok, err := versions.Satisfies("12.1.3", ">= 12.0.0, < 16"); err != nil || !ok {
		t.Errorf("%v, %v", ok, err)
	}
}

func TestEqual(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{{"1.2.3", "v1.2.3", true}, {"1.2", "1.2.0", false}, {"1.2", "1.2", true}, {"0.16", "0.16.0", false}, {"1.2.3", "1.2.4", false}, {"main", "main", true}} {
		if got := versions.Equal(test.a, test.b); got != test.want {
			t.Errorf("%s and %s: %t", test.a, test.b, got)
		}
	}
}
