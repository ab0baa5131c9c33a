package keep_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"upkeep/providers/backup/keep"
)

func drawSpan(t *rapid.T, name string) keep.Span {
	if !rapid.Bool().Draw(t, name+"?") {
		return keep.Span{}
	}
	return keep.Span{Years: rapid.IntRange(0, 2).Draw(t, name+" years"), Months: rapid.IntRange(0, 14).Draw(t, name+" months"),
		Days: rapid.IntRange(0, 40).Draw(t, name+" days"), Hours: rapid.IntRange(0, 50).Draw(t, name+" hours")}
}

func drawPolicy(t *rapid.T) keep.Policy {
	count := rapid.SampledFrom([]int{0, 0, 0, 1, 2, 3, 10, keep.Unlimited})
	return keep.Policy{
		Last: count.Draw(t, "last"), Hourly: count.Draw(t, "hourly"), Daily: count.Draw(t, "daily"),
		Weekly: count.Draw(t, "weekly"), Monthly: count.Draw(t, "monthly"), Yearly: count.Draw(t, "yearly"),
		Within: drawSpan(t, "within"), WithinHourly: drawSpan(t, "within_hourly"), WithinDaily: drawSpan(t, "within_daily"),
		WithinWeekly: drawSpan(t, "within_weekly"), WithinMonthly: drawSpan(t, "within_monthly"), WithinYearly: drawSpan(t, "within_yearly"),
	}
}

var epoch = time.Date(2024, 12, 20, 0, 0, 0, 0, time.UTC)

func drawBundles(t *rapid.T) []keep.Bundle {
	n := rapid.IntRange(0, 40).Draw(t, "bundles")
	all := make([]keep.Bundle, n)
	for i := range all {
		all[i] = keep.Bundle{ID: fmt.Sprintf("b%02d", i), Proved: rapid.IntRange(0, 3).Draw(t, "proved") == 0,
			Time: epoch.Add(time.Duration(rapid.IntRange(0, 800*24*60).Draw(t, "minute")) * time.Minute)}
	}
	return all
}

func TestPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, all := drawPolicy(t), drawBundles(t)
		now := epoch.Add(time.Duration(rapid.IntRange(0, 900*24).Draw(t, "now")) * time.Hour)
		decisions, err := keep.Apply(p, all, now, time.UTC)
		if (p.Check() != nil) != (err != nil) {
			t.Fatalf("Check says %v, Apply %v", p.Check(), err)
		}
		if err != nil {
			if decisions != nil {
				t.Fatal("decisions with an error")
			}
			return
		}
		times, proved := map[string]time.Time{}, map[string]bool{}
		var newest, newestProved time.Time
		for _, b := range all {
			times[b.ID], proved[b.ID] = b.Time, b.Proved
			if b.Time.After(newest) {
				newest = b.Time
			}
			if b.Proved && b.Time.After(newestProved) {
				newestProved = b.Time
			}
		}
		if len(decisions) != len(all) {
			t.Fatalf("%d decisions about %d bundles", len(decisions), len(all))
		}
		provedStays, removed := newestProved.IsZero(), 0
		for i, d := range decisions {
			if i > 0 && times[d.ID].After(times[decisions[i-1].ID]) {
				t.Fatalf("%s stands behind %s", d.ID, decisions[i-1].ID)
			}
			if len(d.Reasons) == 0 {
				t.Fatalf("%s without a reason", d.ID)
			}
			if d.Keep && proved[d.ID] && times[d.ID].Equal(newestProved) {
				provedStays = true
			}
			if !d.Keep {
				removed++
			}
		}
		if !provedStays {
			t.Fatalf("no bundle of %s, when the newest proved one was taken, stays", newestProved)
		}
		if removed > 0 && now.Before(newest) {
			t.Fatal("the clock went back, and something is removed")
		}
		if removed > 0 && newestProved.IsZero() {
			t.Fatal("nothing is proved, and something is removed")
		}
		if removed > 0 && removed == len(all) {
			t.Fatal("everything is removed")
		}

		// The order in which a store lists them does not matter.
		shuffled := rapid.Permutation(all).Draw(t, "order")
		again, err := keep.Apply(p, shuffled, now, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(decisions, again); diff != "" {
			t.Fatalf("in another order:\n%s", diff)
		}
	})
}

// A rule more never removes what fewer rules keep.
func TestMoreRulesKeepMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, all := drawPolicy(t), drawBundles(t)
		more := p
		more.Last = rapid.IntRange(1, 20).Draw(t, "more last")
		if p.Last > more.Last || p.Last == keep.Unlimited {
			more.Last = p.Last
		}
		if more.WithinDaily.Zero() {
			more.WithinDaily = drawSpan(t, "more within_daily")
		}
		now := epoch.Add(900 * 24 * time.Hour)
		fewer, err := keep.Apply(p, all, now, nil)
		if err != nil {
			t.Skip("an empty policy")
		}
		with, err := keep.Apply(more, all, now, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, d := range fewer {
			if d.Keep && !with[i].Keep {
				t.Fatalf("%s stays under %+v and goes under %+v", d.ID, p, more)
			}
		}
	})
}

// To prune, and to prune again at once, removes nothing more, where rules count only what is there.
func TestPruningTwiceIsPruningOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.SampledFrom([]int{0, 1, 2, 3, 10, keep.Unlimited})
		p := keep.Policy{Last: count.Draw(t, "last"), Hourly: count.Draw(t, "hourly"), Daily: count.Draw(t, "daily"),
			Weekly: count.Draw(t, "weekly"), Monthly: count.Draw(t, "monthly"), Yearly: count.Draw(t, "yearly")}
		all := drawBundles(t)
		now := epoch.Add(900 * 24 * time.Hour)
		first, err := keep.Apply(p, all, now, nil)
		if err != nil {
			t.Skip("an empty policy")
		}
		left := slices.DeleteFunc(slices.Clone(all), func(b keep.Bundle) bool {
			return !slices.ContainsFunc(first, func(d keep.Decision) bool { return d.ID == b.ID && d.Keep })
		})
		second, err := keep.Apply(p, left, now, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range second {
			if !d.Keep {
				t.Fatalf("%s goes only the second time", d.ID)
			}
		}
	})
}

func TestPolicySurvivesJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawPolicy(t)
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got keep.Policy
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s:\n%s", text, diff)
		}
	})
}

func TestParseSpan(t *testing.T) {
	for _, test := range []struct {
		text string
		want keep.Span
	}{
		{"2y5m7d3h", keep.Span{Years: 2, Months: 5, Days: 7, Hours: 3}},
		{"30d", keep.Span{Days: 30}},
		{"3h2y", keep.Span{Years: 2, Hours: 3}},
		{"0y12m", keep.Span{Months: 12}},
	} {
		if got, err := keep.ParseSpan(test.text); err != nil || got != test.want {
			t.Errorf("%s is %+v, %v", test.text, got, err)
		}
	}
	for text, why := range map[string]string{
		"": "it is empty", "0d": "it is empty", "d": "a number is missing", "-3d": "a number is missing", "3": "the last number has no unit",
		"3w": "weeks are written as days", "3D": "a unit is unknown", "3ä": "a unit is unknown", "1d1d": "a unit stands twice",
		"100001d": "a number is too large", "99999999999999999999d": "a number is too large", "1d 2h": "a number is missing",
	} {
		want := fmt.Sprintf("%q is not a span: %s; write numbers with y, m (months), d or h, such as \"2y5m7d3h\" or \"30d\"", text, why)
		if got, err := keep.ParseSpan(text); fmt.Sprint(err) != want {
			t.Errorf("%q is %+v, %v; want %s", text, got, err, want)
		}
	}
}

func FuzzParseSpan(f *testing.F) {
	for _, seed := range []string{"2y5m7d3h", "30d", "", "1w", "99999999999999999999h", "d", "1d1d", "-1d", "00001y"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := keep.ParseSpan(text)
		if err != nil {
			return
		}
		again, err := keep.ParseSpan(s.String())
		if err != nil || again != s {
			t.Fatalf("%q is %+v, written %q, which is %+v, %v", text, s, s, again, err)
		}
		if now := epoch; !s.Before(now).Before(now) {
			t.Fatalf("%q before %s is %s", text, now, s.Before(now))
		}
	})
}
