package config

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// Until is the day on which an exemption ends, as written: "2027-01-31". The exemption holds on that day, too, until
// midnight UTC.
type Until string

// ParseUntil reads a day.
func ParseUntil(s string) (Until, error) {
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		return "", fmt.Errorf("%q is not a date; write a day such as \"2027-01-31\"", s)
	}
	return Until(s), nil
}

// Ends returns the first instant at which the exemption no longer holds; the zero time where the text is no day.
func (u Until) Ends() time.Time {
	day, err := time.Parse(time.DateOnly, string(u))
	if err != nil {
		return time.Time{}
	}
	return day.AddDate(0, 0, 1)
}

// Ended reports whether the exemption no longer holds.
func (u Until) Ended(now time.Time) bool { return !now.Before(u.Ends()) }

// exemption is what a person must say of anything that upkeep leaves alone.
type exemption struct {
	reason, owner string
	until         Until
}

// exemptionAttributes are the arguments of every block that exempts something.
func exemptionAttributes() []Attribute {
	return []Attribute{
		{Name: "reason", Type: cty.String, Required: true, Lines: true, Doc: "Why. Every report shows it."},
		{Name: "owner", Type: cty.String, Required: true, Doc: "Who is responsible."},
		{Name: "until", Type: cty.String, Required: true, Doc: "The last day on which it holds, in UTC: `\"2027-01-31\"`."},
	}
}

func exemptionOf(b Block) (exemption, hcl.Diagnostics) {
	e := exemption{reason: strings.TrimSpace(b.String("reason")), owner: strings.TrimSpace(b.String("owner"))}
	var diags hcl.Diagnostics
	if e.reason == "" {
		diags = append(diags, b.Diagnose("reason", "No reason", "\"reason\" is empty. Write why."))
	}
	if e.owner == "" {
		diags = append(diags, b.Diagnose("owner", "No owner", "\"owner\" is empty. Write who is responsible, such as \"ops\"."))
	}
	var err error
	if e.until, err = ParseUntil(b.String("until")); err != nil {
		diags = append(diags, b.Diagnose("until", "Invalid date", err.Error()+"."))
	}
	return e, diags
}

func (e exemption) check() error {
	if _, err := ParseUntil(string(e.until)); err != nil {
		return err
	}
	if e.reason == "" || e.owner == "" {
		return errors.New("the reason or the owner is missing")
	}
	return nil
}
