package text_test

import (
	"strings"
	"testing"
	"time"

	"upkeep/planner/report"
	"upkeep/planner/report/text"
	"upkeep/providers/facts"
)

// A bundle with fewer than half of the keys of the one before it says so: something may have deleted them.
func TestBundlesSayThatKeysFellByHalf(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	bundleOf := func(standing string, keys int64) report.BundleJSON {
		return report.BundleJSON{Bundle: facts.Bundle{ID: "daily", TakenAt: at, Keys: keys}, Status: standing}
	}
	const note = "NOTE 40 keys; the bundle before it has 100"
	for name, test := range map[string]struct {
		bundles []report.BundleJSON // newest first
		want    bool
	}{
		"fewer than half":             {[]report.BundleJSON{bundleOf("proved", 40), bundleOf("proved", 100)}, true},
		"an older one fell":           {[]report.BundleJSON{bundleOf("proved", 45), bundleOf("proved", 40), bundleOf("proved", 100)}, true},
		"half":                        {[]report.BundleJSON{bundleOf("proved", 50), bundleOf("proved", 100)}, false},
		"more":                        {[]report.BundleJSON{bundleOf("proved", 400), bundleOf("proved", 100)}, false},
		"the only one":                {[]report.BundleJSON{bundleOf("proved", 40)}, false},
		"beside what counts for less": {[]report.BundleJSON{bundleOf("proved", 40), bundleOf("not authentic", 1000)}, false},
		"over what counts for less":   {[]report.BundleJSON{bundleOf("proved", 40), bundleOf("not authentic", 41), bundleOf("proved", 100)}, true},
		"a cold copy counts no keys":  {[]report.BundleJSON{bundleOf("cold", 0), bundleOf("cold", 0), bundleOf("proved", 100)}, false},
	} {
		var out strings.Builder
		err := text.Bundles(&out, report.Bundles(at, []report.StoreJSON{{Address: "etcd_backup.daily", Store: "file", Bundles: test.bundles}}), text.Style{Width: 200})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(out.String(), note); got != test.want || strings.Contains(out.String(), "NOTE") != test.want {
			t.Errorf("%s: a note %v, want %v:\n%s", name, got, test.want, out.String())
		}
	}
}
