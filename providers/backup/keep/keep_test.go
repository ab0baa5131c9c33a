package keep_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/backup/keep"
)

// at reads a time: "2016-01-18 12:02", in UTC.
func at(t testing.TB, s string) time.Time {
	t.Helper()
	when, err := time.Parse("2006-01-02 15:04", s)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func bundles(t testing.TB, times ...string) []keep.Bundle {
	t.Helper()
	var all []keep.Bundle
	for _, s := range times {
		all = append(all, keep.Bundle{ID: s, Time: at(t, s)})
	}
	return all
}

func span(t testing.TB, s string) keep.Span {
	t.Helper()
	parsed, err := keep.ParseSpan(s)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// kept applies a policy and returns what stays, in the form "ID: reason, reason". The newest is proved; it is what every
// policy here keeps anyway.
func kept(t testing.TB, p keep.Policy, all []keep.Bundle, zone *time.Location) []string {
	t.Helper()
	all = slices.Clone(all)
	newest := 0
	for i := range all {
		if all[i].Time.After(all[newest].Time) {
			newest = i
		}
	}
	all[newest].Proved = true
	decisions, err := keep.Apply(p, all, all[newest].Time.Add(time.Minute), zone)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, d := range decisions {
		if !d.Keep {
			continue
		}
		reasons := slices.DeleteFunc(slices.Clone(d.Reasons), func(r string) bool { return r == keep.ReasonNewestProved })
		out = append(out, d.ID+": "+strings.Join(reasons, ", "))
	}
	return out
}

// What restic does, as its manual and its own tests have it.
func TestAsRestic(t *testing.T) {
	// The times of the example in restic's manual: one each Sunday ("Removing snapshots according to a policy").
	sundays := []string{"2014-09-07 10:00", "2014-09-14 10:00", "2014-09-21 10:00", "2014-09-28 10:00", "2014-10-05 10:00",
		"2014-10-12 10:00", "2014-10-19 10:00", "2014-10-26 10:00", "2014-11-02 10:00", "2014-11-09 10:00", "2014-11-16 10:00", "2014-11-23 10:00", "2014-11-30 10:00"}
	for _, test := range []struct {
		name   string
		policy keep.Policy
		times  []string
		want   []string
	}{
		{"the newest n", keep.Policy{Last: 2}, []string{"2016-01-01 01:02", "2016-01-01 01:03", "2016-01-03 07:02"},
			[]string{"2016-01-03 07:02: last bundle", "2016-01-01 01:03: last bundle"}},
		{"daily keeps the newest of each day", keep.Policy{Daily: 2}, []string{"2016-01-01 01:02", "2016-01-01 23:59", "2016-01-02 00:00", "2016-01-02 12:00", "2016-01-03 07:02"},
			[]string{"2016-01-03 07:02: daily bundle", "2016-01-02 12:00: daily bundle"}},
		{"days without a bundle do not count", keep.Policy{Daily: 4}, sundays,
			[]string{"2014-11-30 10:00: daily bundle", "2014-11-23 10:00: daily bundle", "2014-11-16 10:00: daily bundle", "2014-11-09 10:00: daily bundle"}},
		{"rules add up, and the oldest stays while a rule has room", keep.Policy{Daily: 2, Yearly: 2}, []string{"2014-09-07 10:00", "2014-09-14 10:00", "2014-11-23 10:00", "2014-11-30 10:00"},
			[]string{"2014-11-30 10:00: daily bundle, yearly bundle", "2014-11-23 10:00: daily bundle", "2014-09-07 10:00: oldest yearly bundle"}},
		{"the oldest does not stay once the rule is used up", keep.Policy{Yearly: 1}, []string{"2014-09-07 10:00", "2014-11-30 10:00"},
			[]string{"2014-11-30 10:00: yearly bundle"}},
		{"weeks are ISO's, across the year's end", keep.Policy{Weekly: 2}, []string{"2015-12-28 08:00", "2015-12-31 08:00", "2016-01-01 08:00", "2016-01-03 08:00", "2016-01-04 08:00"},
			[]string{"2016-01-04 08:00: weekly bundle", "2016-01-03 08:00: weekly bundle"}},
		{"months", keep.Policy{Monthly: 2}, sundays, []string{"2014-11-30 10:00: monthly bundle", "2014-10-26 10:00: monthly bundle"}},
		{"the same month of two years is two months", keep.Policy{Monthly: 2}, []string{"2015-03-01 01:00", "2016-03-01 01:00"},
			[]string{"2016-03-01 01:00: monthly bundle", "2015-03-01 01:00: monthly bundle"}},
		{"hours", keep.Policy{Hourly: 2}, []string{"2016-01-01 01:02", "2016-01-01 01:59", "2016-01-01 02:00", "2016-01-02 01:30"},
			[]string{"2016-01-02 01:30: hourly bundle", "2016-01-01 02:00: hourly bundle"}},
		{"unlimited days", keep.Policy{Daily: keep.Unlimited}, []string{"2015-01-01 01:00", "2015-01-01 02:00", "2016-01-01 01:00"},
			[]string{"2016-01-01 01:00: daily bundle", "2015-01-01 02:00: daily bundle", "2015-01-01 01:00: oldest daily bundle"}},
		{"unlimited bundles", keep.Policy{Last: keep.Unlimited}, []string{"2015-01-01 01:00", "2016-01-01 01:00"},
			[]string{"2016-01-01 01:00: last bundle", "2015-01-01 01:00: last bundle"}},
		{"within counts back from the newest, and its end is outside", keep.Policy{Within: span(t, "1d")}, []string{"2016-01-16 12:02", "2016-01-17 12:02", "2016-01-17 12:03", "2016-01-18 12:02"},
			[]string{"2016-01-18 12:02: within 1d", "2016-01-17 12:03: within 1d"}},
		{"within months of the calendar", keep.Policy{Within: span(t, "1m")}, []string{"2016-02-18 12:02", "2016-02-18 12:03", "2016-03-18 12:02"},
			[]string{"2016-03-18 12:02: within 1m", "2016-02-18 12:03: within 1m"}},
		{"within_daily", keep.Policy{WithinDaily: span(t, "2d")}, []string{"2016-01-10 09:00", "2016-01-16 13:00", "2016-01-17 11:00", "2016-01-17 12:00", "2016-01-18 12:02"},
			[]string{"2016-01-18 12:02: daily within 2d", "2016-01-17 12:00: daily within 2d", "2016-01-16 13:00: daily within 2d"}},
		{"within_daily with the oldest inside", keep.Policy{WithinDaily: span(t, "1y")}, []string{"2016-01-17 11:00", "2016-01-17 12:00", "2016-01-18 12:02"},
			[]string{"2016-01-18 12:02: daily within 1y", "2016-01-17 12:00: daily within 1y", "2016-01-17 11:00: oldest daily within 1y"}},
		{"within_weekly, within_monthly and within_yearly", keep.Policy{WithinWeekly: span(t, "14d"), WithinMonthly: span(t, "2m"), WithinYearly: span(t, "2y")}, sundays,
			[]string{"2014-11-30 10:00: weekly within 14d, monthly within 2m, yearly within 2y", "2014-11-23 10:00: weekly within 14d", "2014-10-26 10:00: monthly within 2m",
				"2014-09-07 10:00: oldest yearly within 2y"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, kept(t, test.policy, bundles(t, test.times...), nil)); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
		})
	}
}

// Days begin where the operator lives.
func TestZone(t *testing.T) {
	berlin := time.FixedZone("CEST", 2*60*60)
	all := bundles(t, "2026-06-01 20:00", "2026-06-01 23:00", "2026-06-02 10:00")
	want := []string{"2026-06-02 10:00: daily bundle", "2026-06-01 20:00: daily bundle"}
	if diff := cmp.Diff(want, kept(t, keep.Policy{Daily: 2}, all, berlin)); diff != "" {
		t.Errorf("in Berlin (-want +got):\n%s", diff)
	}
	want = []string{"2026-06-02 10:00: daily bundle", "2026-06-01 23:00: daily bundle"}
	if diff := cmp.Diff(want, kept(t, keep.Policy{Daily: 2}, all, nil)); diff != "" {
		t.Errorf("in UTC (-want +got):\n%s", diff)
	}
}

func TestPoliciesThatAreRefused(t *testing.T) {
	all := bundles(t, "2026-06-01 20:00")
	for _, test := range []struct {
		policy keep.Policy
		want   string
	}{
		{keep.Policy{}, "the policy keeps nothing; give it at least one rule, such as last = 3 or daily = 30"},
		{keep.Policy{Last: 3, Daily: -2}, `daily = -2: write a number from 1 on, or "unlimited"`},
	} {
		decisions, err := keep.Apply(test.policy, all, at(t, "2026-06-02 00:00"), nil)
		if fmt.Sprint(err) != test.want || decisions != nil {
			t.Errorf("%+v: %v, %v", test.policy, decisions, err)
		}
	}
	if _, err := keep.Apply(keep.Policy{}, nil, time.Time{}, nil); !errors.Is(err, keep.ErrEmpty) {
		t.Errorf("an empty policy over nothing: %v", err)
	}
}

// What upkeep promises beyond restic.
func TestNeverRemoved(t *testing.T) {
	times := []string{"2026-06-01 01:00", "2026-06-02 01:00", "2026-06-03 01:00", "2026-06-04 01:00"}
	decide := func(now string, proved ...int) []keep.Decision {
		all := bundles(t, times...)
		for _, i := range proved {
			all[i].Proved = true
		}
		decisions, err := keep.Apply(keep.Policy{Last: 1}, all, at(t, now), nil)
		if err != nil {
			t.Fatal(err)
		}
		return decisions
	}
	d := func(i int, keeps bool, reasons ...string) keep.Decision {
		return keep.Decision{ID: times[i], Keep: keeps, Reasons: reasons}
	}
	for _, test := range []struct {
		name string
		got  []keep.Decision
		want []keep.Decision
	}{
		{"the newest proved bundle", decide("2026-06-04 02:00", 0, 1),
			[]keep.Decision{d(3, true, "last bundle"), d(2, false, keep.ReasonNoRule), d(1, true, keep.ReasonNewestProved), d(0, false, keep.ReasonNoRule)}},
		{"all, where none is proved", decide("2026-06-04 02:00"),
			[]keep.Decision{d(3, true, keep.ReasonNoneProved), d(2, true, keep.ReasonNoneProved), d(1, true, keep.ReasonNoneProved), d(0, true, keep.ReasonNoneProved)}},
		{"none, at the very time of the newest", decide("2026-06-04 01:00", 3),
			[]keep.Decision{d(3, true, "last bundle", keep.ReasonNewestProved), d(2, false, keep.ReasonNoRule), d(1, false, keep.ReasonNoRule), d(0, false, keep.ReasonNoRule)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.got); diff != "" {
				t.Errorf("decisions (-want +got):\n%s", diff)
			}
		})
	}
	why := "the clock went back: it says 2026-06-03T01:00:00Z, and the newest bundle is of 2026-06-04T01:00:00Z, so none is removed"
	for i, got := range decide("2026-06-03 01:00", 3) {
		if diff := cmp.Diff(d(3-i, true, why), got); diff != "" {
			t.Errorf("after the clock went back (-want +got):\n%s", diff)
		}
	}
}

func TestParseCount(t *testing.T) {
	for text, want := range map[string]int{"1": 1, "30": 30, "unlimited": keep.Unlimited} {
		if got, err := keep.ParseCount(text); err != nil || got != want {
			t.Errorf("%s is %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "all", "3.5", "99999999999999999999"} {
		if got, err := keep.ParseCount(text); err == nil || !strings.Contains(err.Error(), "is not a count") {
			t.Errorf("%q is %d, %v", text, got, err)
		}
	}
}
