package backup

import (
	"fmt"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"upkeep/config"
	"upkeep/providers/backup/keep"
)

// counts and spans are the rules of a policy, in the order of its words.
func counts(p *keep.Policy) []rule[int] {
	return []rule[int]{
		{"last", "the newest bundles", &p.Last}, {"hourly", "the newest bundle of each of the newest hours that have one", &p.Hourly},
		{"daily", "the newest bundle of each of the newest days that have one", &p.Daily},
		{"weekly", "the newest bundle of each of the newest ISO weeks that have one", &p.Weekly},
		{"monthly", "the newest bundle of each of the newest months that have one", &p.Monthly},
		{"yearly", "the newest bundle of each of the newest years that have one", &p.Yearly},
	}
}

func spans(p *keep.Policy) []rule[keep.Span] {
	return []rule[keep.Span]{
		{"within", "everything", &p.Within}, {"within_hourly", "the newest bundle of each hour", &p.WithinHourly},
		{"within_daily", "the newest bundle of each day", &p.WithinDaily}, {"within_weekly", "the newest bundle of each ISO week", &p.WithinWeekly},
		{"within_monthly", "the newest bundle of each month", &p.WithinMonthly}, {"within_yearly", "the newest bundle of each year", &p.WithinYearly},
	}
}

type rule[T any] struct {
	name, keeps string
	into        *T
}

func keepSchema() config.Schema {
	var out config.Schema
	var p keep.Policy
	for _, r := range counts(&p) {
		out.Attributes = append(out.Attributes, config.Attribute{Name: r.name, Type: cty.String, Doc: "Keep " + r.keeps + ": a number, or `\"unlimited\"`."})
	}
	for _, r := range spans(&p) {
		out.Attributes = append(out.Attributes, config.Attribute{Name: r.name, Type: cty.String,
			Doc: "Keep " + r.keeps + " within this span before the newest bundle, such as `\"2y5m7d3h\"` (years, months, days, hours)."})
	}
	return out
}

// defaultKeep is what stays where a block does not say: a month of days and two of weeks.
func defaultKeep() keep.Policy { return keep.Policy{Last: 3, Daily: 30, Weekly: 8} }

func decodeKeep(b config.Block) (keep.Policy, hcl.Diagnostics) {
	var p keep.Policy
	var diags hcl.Diagnostics
	for _, r := range counts(&p) {
		text := b.String(r.name)
		if text == "" {
			continue
		}
		n, err := keep.ParseCount(text)
		if err != nil {
			diags = append(diags, b.Diagnose(r.name, "Invalid number", fmt.Sprintf("%s: %v; leave it out for a rule that keeps nothing.", r.name, err)))
		}
		*r.into = n
	}
	for _, r := range spans(&p) {
		text := b.String(r.name)
		if text == "" {
			continue
		}
		span, err := keep.ParseSpan(text)
		if err != nil {
			diags = append(diags, b.Diagnose(r.name, "Invalid span", capital(r.name+": "+err.Error())+"."))
		}
		*r.into = span
	}
	if err := p.Check(); err != nil && !diags.HasErrors() {
		diags = append(diags, b.Diagnose("", "An empty policy", capital(err.Error())+". To keep everything write last = \"unlimited\". Without the block the defaults apply."))
	}
	return p, diags
}
