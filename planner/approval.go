package planner

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// ApprovalStale is the finding that what is due is no longer what a person approved.
const ApprovalStale = "APPROVAL_STALE"

// MostApprovals is how many plans may be approved at a time.
const MostApprovals = 20

// Approve returns the approval of the plan by a person, which ends at until; the zero time: when the plan does. Pure.
func (p Plan) Approve(types []providers.Type, who string, at, until time.Time, reason string) (facts.Approval, error) {
	resources, err := resourcesOf(p.Request.Desired)
	if err != nil {
		return facts.Approval{}, err
	}
	known, err := register(types, resources, p.Request.metas())
	if err != nil {
		return facts.Approval{}, err
	}
	steps, err := known.stepDigests(p.Request, p.Steps, p.Brackets)
	if err != nil {
		return facts.Approval{}, err
	}
	out := facts.Approval{
		Plan: p.ID, Digest: p.Digest, Steps: steps, Who: who, At: at.UTC(), Reason: reason,
		BeginBy: p.CreatedAt.Add(p.Lifetime()).UTC(), Until: until,
	}
	for _, o := range p.Request.Overrides {
		out.Overrides = append(out.Overrides, o.String())
	}
	return out, nil
}

// ApprovedOverrides are the overrides that hold for the runs of an approved plan: those that were approved with it, and
// no others. A rule that this upkeep does not know is an error.
func ApprovedOverrides(a facts.Approval, types []providers.Type) ([]Override, error) {
	var out []Override
	for _, given := range a.Overrides {
		o, err := ParseOverride(given, types)
		if err != nil {
			return nil, fmt.Errorf("the approval of plan %s: %w; approve the plan again", a.Plan, err)
		}
		o.By = a.Who
		out = append(out, o)
	}
	return out, nil
}

// ApprovalEnds is the instant from which an approval does not hold: its plan can neither be begun nor continued, or
// its own end has come.
func ApprovalEnds(a facts.Approval) time.Time {
	end := a.BeginBy
	if !a.Begun.IsZero() {
		end = a.Begun.Add(MaxRun)
	}
	if !a.Until.IsZero() && a.Until.Before(end) {
		end = a.Until
	}
	return end
}

// ApprovalHolds reports whether an approval holds at a time.
func ApprovalHolds(a facts.Approval, now time.Time) bool { return now.Before(ApprovalEnds(a)) }

// Approved returns the approvals of a memory that hold at a time, oldest first.
func Approved(memory facts.Memory, now time.Time) (out []facts.Approval) {
	for _, a := range memory.Approvals {
		if ApprovalHolds(a, now) {
			out = append(out, a)
		}
	}
	return out
}

// WithApproval returns a memory with one more approval, in the place of an earlier one of the same plan, and without
// those that have ended. Pure.
func WithApproval(m facts.Memory, a facts.Approval, now time.Time) (facts.Memory, error) {
	kept := slices.DeleteFunc(slices.Clone(m.Approvals), func(other facts.Approval) bool {
		return other.Plan == a.Plan || !ApprovalHolds(other, now)
	})
	if len(kept) >= MostApprovals {
		return m, fmt.Errorf("%d plans are approved already, which is the most; take one back with `upkeep approve -revoke=%s`",
			len(kept), kept[0].Plan)
	}
	m.Approvals = append(kept, a)
	return m, nil
}

// WithoutApproval returns a memory without the approval of a plan, and whether there was one. Pure.
func WithoutApproval(m facts.Memory, plan string) (facts.Memory, bool) {
	kept := slices.DeleteFunc(slices.Clone(m.Approvals), func(a facts.Approval) bool { return a.Plan == plan })
	was := len(kept) < len(m.Approvals)
	m.Approvals = kept
	return m, was
}

// ApprovalBegun returns a memory that knows when a run of an approved plan began; the first one counts. Pure.
func ApprovalBegun(m facts.Memory, plan string, at time.Time) facts.Memory {
	m.Approvals = slices.Clone(m.Approvals)
	for i := range m.Approvals {
		if a := &m.Approvals[i]; a.Plan == plan && a.Begun.IsZero() {
			a.Begun = at.UTC()
		}
	}
	return m
}

// Unapproved are the ids of the steps of a plan that the approval does not cover, sorted; those of guards are
// not counted.
func (p Plan) Unapproved(types []providers.Type, a facts.Approval) ([]string, error) {
	now, err := p.Approve(types, "", time.Time{}, time.Time{}, "")
	if err != nil {
		return nil, err
	}
	var out []string
	for id, digest := range now.Steps {
		if a.Steps[id] != digest {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out, nil
}

// staleApprovals are the findings about approvals that hold while something else is due than what they are of. A plan
// of a part of the configuration says nothing of the rest, and so nothing here.
func (d domains) staleApprovals(p Plan) ([]providers.Finding, error) {
	r := p.Request
	approvals := Approved(r.Memory, r.Now)
	if len(approvals) == 0 || len(r.Targets)+len(r.Exclude)+len(r.Replace) > 0 {
		return nil, nil
	}
	due, err := d.stepDigests(r, p.Steps, p.Brackets)
	if err != nil {
		return nil, err
	}
	var out []providers.Finding
	for i, a := range approvals {
		if slices.ContainsFunc(approvals[i+1:], func(later facts.Approval) bool { return covers(later, due) }) {
			continue // what is due now was approved since
		}
		differences := differences(a, due, !p.uncertain())
		if len(differences) == 0 {
			continue
		}
		out = append(out, providers.Finding{
			ID: ApprovalStale, Severity: providers.SeverityWarning,
			Address: facts.Address{Type: "approval", Name: "plan", Key: a.Plan},
			Summary: fmt.Sprintf("%s approved plan %s, and what is due now is not what it says: %s",
				a.Who, a.Plan, strings.Join(differences, "; ")),
			Hint: "make a plan, read it and approve it: `upkeep plan -out=FILE`, `upkeep approve FILE`; " +
				"or run what is still the same: `upkeep apply -approved -only-approved`",
		})
	}
	return out, nil
}

// covers reports whether everything that is due was approved as it is.
func covers(a facts.Approval, due map[string]string) bool {
	for id, digest := range due {
		if a.Steps[id] != digest {
			return false
		}
	}
	return true
}

// differences say in what the due steps are not the approved ones. What is not due any more was done, where the plan
// was begun; and where not everything could be asked, nobody knows.
func differences(a facts.Approval, due map[string]string, complete bool) (out []string) {
	var added, changed, gone []string
	for id, digest := range due {
		switch approved, known := a.Steps[id]; {
		case !known:
			added = append(added, id)
		case approved != digest:
			changed = append(changed, id)
		}
	}
	if a.Begun.IsZero() && complete {
		for id := range maps.Keys(a.Steps) {
			if _, still := due[id]; !still {
				gone = append(gone, id)
			}
		}
	}
	for _, part := range []struct {
		ids      []string
		one, all string
	}{
		{added, "1 step is new", "%d steps are new"},
		{changed, "1 step is another one", "%d steps are others"},
		{gone, "1 step is no longer due", "%d steps are no longer due"},
	} {
		if len(part.ids) == 0 {
			continue
		}
		slices.Sort(part.ids)
		what := part.one
		if len(part.ids) > 1 {
			what = fmt.Sprintf(part.all, len(part.ids))
		}
		out = append(out, fmt.Sprintf("%s (%s)", what, someOf(part.ids, 3)))
	}
	return out
}

// someOf lists the first of some ids, and how many more there are.
func someOf(ids []string, most int) string {
	if len(ids) <= most {
		return strings.Join(ids, ", ")
	}
	return fmt.Sprintf("%s, and %d more", strings.Join(ids[:most], ", "), len(ids)-most)
}
