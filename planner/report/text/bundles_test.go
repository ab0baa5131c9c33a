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

// The list is read at 80 columns as well as at 200: no line is wider, and nothing is left out.
func TestBundlesFitTheTerminal(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	bundleOf := func(id, standing, why string) report.BundleJSON {
		return report.BundleJSON{Bundle: facts.Bundle{ID: id, TakenAt: at, Keys: 1204, Revision: 99120, Size: 41 << 20}, Status: standing, Why: why}
	}
	why := "the stored bytes have the SHA-256 " + strings.Repeat("0a1b", 4) + " and the state remembers another one, so somebody exchanged or damaged the bundle"
	stores := []report.StoreJSON{{Address: "etcd_backup.daily", Store: "file /var/backups/upkeep", Bundles: []report.BundleJSON{
		bundleOf("daily-9f706f45f558be15-20261122T120000Z-6ee1db10", "damaged", why),
		bundleOf("daily-9f706f45f558be15-20261121T120000Z-9c01d2f3", "unproved", ""),
	}}}
	for _, test := range []struct {
		width int
		heads []string
	}{
		{80, []string{"taken 2026-11-22 12:00 UTC", "41 MiB"}},
		{200, []string{"BUNDLE", "SIZE", "KEYS", "REVISION", "STANDING"}},
	} {
		var out strings.Builder
		if err := text.Bundles(&out, report.Bundles(at, stores), text.Style{Width: test.width}); err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(out.String(), "\n") {
			if len(line) > test.width {
				t.Errorf("%d columns on a terminal of %d: %s", len(line), test.width, line)
			}
		}
		said := strings.Join(strings.Fields(out.String()), " ")
		for _, want := range append(test.heads, "1204", "99120", "damaged: the stored bytes", "exchanged or damaged the bundle") {
			if !strings.Contains(said, want) {
				t.Errorf("at %d columns %q is missing:\n%s", test.width, want, out.String())
			}
		}
	}
}
