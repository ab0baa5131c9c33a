// Package keep decides which backups stay and which may go. Pure: it looks at ids, times and what is proved, never at a
// store, and removes nothing itself.
//
// The grammar and the meaning of the rules are restic's (restic 0.18, internal/data/snapshot_policy.go and "Removing
// snapshots according to a policy" of its manual), so that what operators know of one holds for the other:
//
//   - A bundle stays if any rule wants it.
//   - last = n keeps the n newest.
//   - hourly, daily, weekly, monthly and yearly = n keep the newest bundle of each of the n newest hours, days, ISO weeks,
//     months and years that have one. Empty hours and days do not count.
//   - within = span keeps everything younger than the span, counted back from the newest bundle, not from now: a machine
//     that was off for a year comes back to its backups.
//   - within_hourly … within_yearly = span keep the newest of each hour … year within the span.
//   - The oldest bundle stays while a rule still has room, so that history grows as long as the rule allows.
//
// Apply promises more than restic: it always keeps the newest proved bundle, removes nothing when no bundle is proved,
// and nothing when the clock went back.
package keep

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Unlimited as a count keeps one of every hour, day, week, month or year, or every bundle.
const Unlimited = -1

// ParseCount reads a count as written: a number from 1 on, or "unlimited".
func ParseCount(text string) (int, error) {
	if text == "unlimited" {
		return Unlimited, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is not a count: write a number from 1 on, or \"unlimited\"", text)
	}
	return n, nil
}

// Policy says what stays. The zero value of a rule is a rule that is not there.
type Policy struct {
	Last    int `json:"last,omitempty"`
	Hourly  int `json:"hourly,omitempty"`
	Daily   int `json:"daily,omitempty"`
	Weekly  int `json:"weekly,omitempty"`
	Monthly int `json:"monthly,omitempty"`
	Yearly  int `json:"yearly,omitempty"`

	Within        Span `json:"within,omitzero"`
	WithinHourly  Span `json:"within_hourly,omitzero"`
	WithinDaily   Span `json:"within_daily,omitzero"`
	WithinWeekly  Span `json:"within_weekly,omitzero"`
	WithinMonthly Span `json:"within_monthly,omitzero"`
	WithinYearly  Span `json:"within_yearly,omitzero"`
}

// ErrEmpty is the refusal of a policy without a rule: it would remove everything.
var ErrEmpty = errors.New("the policy keeps nothing; give it at least one rule, such as last = 3 or daily = 30")

// Check refuses a policy that is empty or that has a count below 0 other than Unlimited.
func (p Policy) Check() error {
	empty := true
	for _, r := range p.rules() {
		if r.count < Unlimited {
			return fmt.Errorf("%s = %d: write a number from 1 on, or \"unlimited\"", r.name, r.count)
		}
		empty = empty && r.count == 0 && r.span.Zero()
	}
	if empty {
		return ErrEmpty
	}
	return nil
}

// Bundle is one backup.
type Bundle struct {
	ID   string
	Time time.Time
	// Proved is what the state says, never what the store says.
	Proved bool
}

// Decision is what becomes of one bundle.
type Decision struct {
	ID   string `json:"id"`
	Keep bool   `json:"keep"`
	// Reasons say which rules keep it, in the policy's order; for one that goes, that none does.
	Reasons []string `json:"reasons"`
}

// Reasons that are no rule's.
const (
	ReasonNewestProved = "newest proved bundle"
	ReasonNoneProved   = "no bundle is proved, so none is removed"
	ReasonNoRule       = "no rule keeps it"
)

// Apply decides about each bundle, newest first. Hours, days, weeks, months and years are those of the zone; nil is UTC.
// It returns an error, and no decision, for a policy that Check refuses.
func Apply(p Policy, bundles []Bundle, now time.Time, zone *time.Location) ([]Decision, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	if len(bundles) == 0 {
		return nil, nil
	}
	if zone == nil {
		zone = time.UTC
	}
	sorted := slices.Clone(bundles)
	slices.SortStableFunc(sorted, func(a, b Bundle) int {
		if c := b.Time.Compare(a.Time); c != 0 {
			return c
		}
		return strings.Compare(b.ID, a.ID)
	})
	newestProved := slices.IndexFunc(sorted, func(b Bundle) bool { return b.Proved })
	switch newest := sorted[0].Time; {
	case now.Before(newest):
		return all(sorted, fmt.Sprintf("the clock went back: it says %s, and the newest bundle is of %s, so none is removed",
			stamp(now), stamp(newest))), nil
	case newestProved < 0:
		return all(sorted, ReasonNoneProved), nil
	}

	rules := p.rules()
	newest := sorted[0].Time.In(zone)
	decisions := make([]Decision, len(sorted))
	for i, b := range sorted {
		d := Decision{ID: b.ID}
		for r := range rules {
			if reason := rules[r].judge(b.Time.In(zone), newest, i, i == len(sorted)-1); reason != "" {
				d.Reasons = append(d.Reasons, reason)
			}
		}
		if i == newestProved {
			d.Reasons = append(d.Reasons, ReasonNewestProved)
		}
		if d.Keep = len(d.Reasons) > 0; !d.Keep {
			d.Reasons = []string{ReasonNoRule}
		}
		decisions[i] = d
	}
	return decisions, nil
}

func all(bundles []Bundle, reason string) []Decision {
	decisions := make([]Decision, len(bundles))
	for i, b := range bundles {
		decisions[i] = Decision{ID: b.ID, Keep: true, Reasons: []string{reason}}
	}
	return decisions
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
