package keep

import (
	"fmt"
	"time"
)

// rule is one rule of a policy while bundles, newest first, are shown to it.
type rule struct {
	name  string // as in the policy: "within_daily"
	what  string // what it keeps: "daily bundle"
	count int    // how many more; Unlimited
	span  Span   // how far back; zero for a rule that counts
	// bucket tells which hour, day, … a time belongs to; nil puts each bundle into its own.
	bucket func(time.Time) bucket
	last   bucket
	seen   bool
}

// bucket is a year and what of the year, so that no two calendar units share one.
type bucket struct{ year, part int }

func (p Policy) rules() []rule {
	return []rule{
		{name: "last", what: "last bundle", count: p.Last},
		{name: "hourly", what: "hourly bundle", count: p.Hourly, bucket: hour},
		{name: "daily", what: "daily bundle", count: p.Daily, bucket: day},
		{name: "weekly", what: "weekly bundle", count: p.Weekly, bucket: week},
		{name: "monthly", what: "monthly bundle", count: p.Monthly, bucket: month},
		{name: "yearly", what: "yearly bundle", count: p.Yearly, bucket: year},
		{name: "within", what: "within", span: p.Within},
		{name: "within_hourly", what: "hourly within", span: p.WithinHourly, bucket: hour},
		{name: "within_daily", what: "daily within", span: p.WithinDaily, bucket: day},
		{name: "within_weekly", what: "weekly within", span: p.WithinWeekly, bucket: week},
		{name: "within_monthly", what: "monthly within", span: p.WithinMonthly, bucket: month},
		{name: "within_yearly", what: "yearly within", span: p.WithinYearly, bucket: year},
	}
}

// judge says why the rule keeps the bundle of this time; empty: it does not.
func (r *rule) judge(t, newest time.Time, index int, oldest bool) string {
	switch {
	case !r.span.Zero():
		if !t.After(r.span.Before(newest)) {
			return ""
		}
	case r.count == 0:
		return ""
	}
	b := bucket{year: index}
	if r.bucket != nil {
		b = r.bucket(t)
	}
	repeated := r.seen && b == r.last
	if repeated && !oldest {
		return ""
	}
	r.last, r.seen = b, true
	if r.count > 0 {
		r.count--
	}
	reason := r.what
	if repeated {
		reason = "oldest " + reason
	}
	if !r.span.Zero() {
		reason = fmt.Sprintf("%s %s", reason, r.span)
	}
	return reason
}

func hour(t time.Time) bucket {
	// The hour that a clock shows twice when summer time ends is one hour, as for restic.
	return bucket{t.Year(), t.YearDay()*24 + t.Hour()}
}

func day(t time.Time) bucket { return bucket{t.Year(), t.YearDay()} }

// week is ISO 8601's: Monday to Sunday, and of the year that has its Thursday.
func week(t time.Time) bucket {
	year, week := t.ISOWeek()
	return bucket{year, week}
}

func month(t time.Time) bucket { return bucket{t.Year(), int(t.Month())} }

func year(t time.Time) bucket { return bucket{t.Year(), 0} }
