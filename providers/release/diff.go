package release

import (
	"fmt"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/pending"
	"upkeep/providers/helm/values"
)

// review is one Diff under way.
type review struct {
	spec    Spec
	in      providers.Input
	address providers.Address
	out     providers.Outcome

	release facts.Release
	repair  pending.Repair

	// before are the values that an upgrade starts from, after those that it leaves.
	before, after values.Tree
	// chosen is the version of the chart that is to run; empty where that is not known.
	chosen facts.ChartVersion

	// due are the reasons for an upgrade; blocked says why there is none.
	due, blocked []string
}

// Diff compares the declared state with the release and its objects.
func (s Spec) Diff(in providers.Input) providers.Outcome {
	r := &review{spec: s, in: in, address: s.Address(), release: in.World.Release(s.Namespace, s.Release)}
	if r.release.Unknown != "" {
		r.add(providers.Finding{ID: "RELEASE_UNKNOWN", Severity: providers.SeverityError, Unknown: true, Object: s.Release, Summary: r.release.Unknown})
		r.object("unknown", r.release.Unknown)
		return r.out
	}
	r.before = startsFrom(r.release)
	r.after = values.Merge(r.before, s.Masked())
	if r.release.Missing {
		summary := fmt.Sprintf("there is no release %s in namespace %s", s.Release, s.Namespace)
		r.add(providers.Finding{ID: "RELEASE_MISSING", Severity: providers.SeverityError, Object: s.Release, Summary: summary})
		r.due = append(r.due, summary)
	} else {
		r.repair = pending.Decide(r.release, in.Clock(), s.patience())
		r.reviewStatus()
		r.reviewValues()
		r.reviewObjects()
		r.reviewWorkloads()
	}
	r.reviewChart()
	r.plan()
	r.object(r.status())
	return r.out
}

// startsFrom returns the values that an upgrade of a release keeps: those of the revision that is deployed.
func startsFrom(r facts.Release) values.Tree {
	if r.Missing {
		return values.Tree{}
	}
	return values.Clone(r.StartsFrom())
}

func (r *review) object(status, detail string) {
	r.out.Objects = append(r.out.Objects, providers.Object{
		Address: r.address, Name: "release " + r.spec.Namespace + "/" + r.spec.Release, Status: status, Detail: detail,
	})
}

// status sums the findings up.
func (r *review) status() (status, detail string) {
	if r.release.Missing {
		return "missing", ""
	}
	return providers.Worst(r.out.Findings), fmt.Sprintf("%s-%s, revision %d", r.release.Chart.Name, r.release.Chart.Version, r.release.Revision)
}

// add reports a finding; at is the argument that it is about.
func (r *review) add(f providers.Finding, at ...string) {
	f.Address, f.Position = r.address, r.spec.Position.String()
	for _, argument := range at {
		f.Position = r.spec.where(argument)
	}
	r.out.Findings = append(r.out.Findings, f)
}

// block says why no upgrade is planned although one is due.
func (r *review) block(why string) { r.blocked = append(r.blocked, why) }

// reviewStatus looks at what Helm says of the last revision.
func (r *review) reviewStatus() {
	standing, wrong := pending.Find(r.release, r.repair, r.in.World.Kubernetes, r.in.Clock())
	if !wrong {
		return
	}
	r.add(standing.Finding)
	r.due = append(r.due, standing.Due)
	if standing.Blocked != "" {
		r.block(standing.Blocked)
	}
}

// reviewValues compares what is wanted with what the release has.
func (r *review) reviewValues() {
	for _, c := range values.Diff(r.release.Values, values.Merge(r.release.Values, r.spec.Masked())) {
		from, to := "not set", "a secret"
		switch {
		case c.Had && values.IsSealed(c.Before) && values.IsSealed(c.After):
			from, to = "a secret", "another secret"
		case c.Had && values.IsSealed(c.Before):
			from = "a secret"
		case c.Had:
			from = shown(c.Before)
		}
		if !values.IsSealed(c.After) {
			to = shown(c.After)
		}
		what := from + " -> " + to
		r.add(providers.Finding{ID: "RELEASE_VALUE_DIFFERS", Severity: providers.SeverityError, Object: c.Path, Summary: what}, "values")
		r.due = append(r.due, fmt.Sprintf("%s %s (%s)", c.Path, what, r.spec.where("values")))
	}
}

// shown is a value in a sentence.
func shown(value any) string {
	switch value {
	case nil:
		return "null"
	case "":
		return `""`
	}
	return values.Text(value)
}

// reviewObjects looks for objects of the release that the cluster has otherwise than they were rendered.
func (r *review) reviewObjects() {
	if why := r.release.ObjectsUnknown; why != "" {
		r.add(providers.Finding{ID: "RELEASE_UNKNOWN", Severity: providers.SeverityError, Unknown: true, Object: r.release.Name, Summary: "its objects could not be compared with the cluster: " + why})
	}
	for _, o := range r.release.Objects {
		name := o.Kind + " " + o.Name
		if o.Unknown != "" {
			r.add(providers.Finding{ID: "RELEASE_UNKNOWN", Severity: providers.SeverityError, Unknown: true, Object: name, Summary: o.Unknown})
			continue
		}
		summary, hint := "is not in the cluster", ""
		if !o.Missing {
			summary = differences(o)
		}
		if repairable(o) {
			r.due = append(r.due, name+" "+summary)
		} else {
			hint = "Helm does not bring changed custom resources back: change it by hand, or delete it and apply again"
		}
		r.add(providers.Finding{ID: "RELEASE_DRIFT", Severity: providers.SeverityError, Object: name, Summary: summary, Hint: hint})
	}
}

// differences says how an object differs, by its first field.
func differences(o facts.ObjectDrift) string {
	if len(o.Differences) == 0 {
		return "is not as it was rendered"
	}
	first := o.Differences[0]
	text := fmt.Sprintf("has %s = %q in the cluster and was rendered with %q", first.Path, first.Live, first.Rendered)
	if more := len(o.Differences) - 1; more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	return text
}

// reviewWorkloads looks at what runs.
func (r *review) reviewWorkloads() {
	if why := r.release.WorkloadsUnknown; why != "" && why != r.release.ObjectsUnknown {
		r.add(providers.Finding{ID: "RELEASE_UNKNOWN", Severity: providers.SeverityError, Unknown: true, Object: r.release.Name, Summary: "what runs of it is not known: " + why})
	}
	for _, w := range r.release.Workloads {
		if w.Missing {
			continue // its object is, which is a finding
		}
		why := unready(w, r.in.World.Kubernetes)
		if why == "" {
			continue
		}
		f := providers.Finding{ID: "RELEASE_NOT_READY", Severity: providers.SeverityError, Object: w.Kind + " " + w.Name, Summary: why}
		if w.Unknown != "" {
			f.ID, f.Unknown = "RELEASE_UNKNOWN", true
		}
		r.add(f)
	}
}
