package akash

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/providers"
	"upkeep/providers/akash/price"
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

	release  facts.Release
	provider provider
	repair   pending.Repair

	// overlay are the values that the block wants, what stands for the sensitive ones in their place, and the script.
	// script is its body; known says that there is one to compare.
	overlay values.Tree
	script  string
	known   bool
	// after are the values that the release has after an upgrade.
	after values.Tree

	// was and will are how the provider prices now and after this plan; kinds are the GPUs of the fleet, where their
	// nodes.
	was, will bidding
	kinds     []gpu
	where     map[gpu][]string
	// reported are the scripts that findings were made of.
	reported map[string]bool

	// stages are what must be done before an upgrade of the chart: see stages.go.
	stages

	// due are the reasons for an upgrade, restart those for a restart alone; blocked says why there is no upgrade.
	due, restart, blocked []string
	// certificateDue: a restart renews the certificate that the provider shows to tenants.
	certificateDue bool
}

// Diff compares the declared state with the release, its objects and the running pod.
func (s Spec) Diff(in providers.Input) providers.Outcome {
	r := &review{spec: s, in: in, address: s.Address(), release: in.World.Release(s.Namespace, s.Release)}
	r.provider = providerOf(r.release)
	switch {
	case r.release.Unknown != "":
		r.add(providers.Finding{ID: "RELEASE_UNKNOWN", Severity: providers.SeverityError, Unknown: true, Object: s.Release,
			Summary: r.release.Unknown})
		r.object("unknown", r.release.Unknown)
		return r.out
	case r.release.Missing:
		r.add(providers.Finding{
			ID: "PROVIDER_MISSING", Severity: providers.SeverityError, Object: s.Release,
			Summary: fmt.Sprintf("there is no release %s in namespace %s", s.Release, s.Namespace),
			Hint:    "upkeep keeps a provider that exists; install it first, or correct release and namespace: `helm list -A` lists releases",
		})
		r.object("missing", "")
		return r.out
	}
	if r.release.Values[valueScript] == facts.New && s.Script != nil && s.Script.Text != "" {
		// A prediction whose facts did not have the text.
		if text, err := compiled(s.Policy, s.Script.Text); err == nil { // reviewScript reports the error
			r.release.Values = values.Clone(r.release.Values)
			r.release.Values[valueScript] = encodeScript(text)
		}
	}
	r.repair = pending.Decide(r.release, in.Clock(), r.spec.patience())
	r.reviewScript()
	r.overlay = s.wanted()
	if r.known {
		r.overlay[valueScript] = encodeScript(r.script)
	}
	r.reviewStatus()
	r.reviewValues()
	r.reviewBiddings()
	r.reviewBody()
	r.reviewChart()
	r.reviewObjects()
	r.reviewPod()
	r.reviewPrices()
	r.reviewVocabulary()
	r.reviewMeasurement()
	r.reviewPublic()
	r.plan()
	r.object(providers.Worst(r.out.Findings), fmt.Sprintf("%s-%s, revision %d", r.release.Chart.Name,
		r.release.Chart.Version, r.release.Revision))
	return r.out
}

func (r *review) object(status, detail string) {
	r.out.Objects = append(r.out.Objects, providers.Object{
		Address: r.address, Name: "release " + r.spec.Namespace + "/" + r.spec.Release, Status: status, Detail: detail,
	})
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
	switch {
	case !wrong:
		return
	case standing.Blocked != "":
		r.block(standing.Blocked)
	default:
		r.due = append(r.due, standing.Due)
	}
	r.add(standing.Finding)
}

// reviewValues compares what is wanted with what the release has, and says what it has after an upgrade.
func (r *review) reviewValues() {
	r.after = values.Merge(r.release.Values, r.wanted())
	if o := r.release.Offer; o != nil && o.Preview != nil && o.Preview.Unknown == "" && r.release.Status != facts.ReleaseDeployed {
		// What an upgrade keeps are the values of the revision that is deployed, not those of the last one.
		r.after = values.Merge(o.Preview.Values, r.wanted())
	}
	for _, name := range sortedKeys(r.spec.Targets) {
		r.reviewTarget(name, "price_targets."+strings.TrimPrefix(name, "price_target_"), r.spec.Targets[name])
	}
	if r.spec.GPU != nil {
		r.reviewTarget(valueGPU, "price_targets.gpu", price.Mappings(r.spec.GPU))
	}
	changes := values.Diff(r.release.Values, values.Merge(r.release.Values, r.plainOverlay()))
	for _, c := range changes {
		what := "is set"
		switch {
		case r.spec.isSealed(c.Path):
			what = "is another one"
		case c.Had:
			what = fmt.Sprintf("is %s", values.Text(c.Before))
		default:
			what = "is not set"
		}
		r.add(providers.Finding{
			ID: "RELEASE_VALUE_DIFFERS", Severity: providers.SeverityError, Object: c.Path,
			Summary: what + " in the release",
		}, "values")
		r.due = append(r.due, fmt.Sprintf("%s %s in the release", c.Path, what))
	}
}

// plainOverlay is what the block wants but for prices and the script, which are compared by what they mean.
func (r *review) plainOverlay() values.Tree {
	out := values.Clone(r.overlay)
	for name := range r.spec.Targets {
		delete(out, name)
	}
	delete(out, valueGPU)
	delete(out, valueScript)
	return out
}

// wanted is the overlay without the prices that the release already has in other words: 1.60 is left where 1.6 is
// meant.
func (r *review) wanted() values.Tree {
	out := values.Clone(r.overlay)
	for name, price := range r.spec.Targets {
		if sameValue(name, r.release.Values[name], price) {
			out[name] = r.release.Values[name]
		}
	}
	if r.spec.GPU != nil && sameValue(valueGPU, r.release.Values[valueGPU], price.Mappings(r.spec.GPU)) {
		out[valueGPU] = r.release.Values[valueGPU]
	}
	return out
}

// respelled reports whether a price stays as the release writes it although the block writes it otherwise. The
// preview has the block's spelling, so a restart that it sees may come of that alone, and would never happen.
func (r *review) respelled() bool {
	return slices.ContainsFunc(values.Diff(r.overlay, r.wanted()), func(c values.Change) bool {
		declared, _ := rendered(c.Before)
		kept, _ := rendered(c.After)
		return declared != kept
	})
}

// pricesDiffer reports whether a price of the release means another one than the declared.
func (r *review) pricesDiffer() bool {
	for name, wanted := range r.spec.Targets {
		if !sameValue(name, r.release.Values[name], wanted) {
			return true
		}
	}
	return r.spec.GPU != nil && !sameValue(valueGPU, r.release.Values[valueGPU], price.Mappings(r.spec.GPU))
}

func (s Spec) isSealed(path string) bool {
	_, sealed := s.Sealed[path]
	return sealed
}

// reviewTarget compares one price in the release with the declared one.
func (r *review) reviewTarget(name, argument, wanted string) {
	has := r.release.Values[name]
	if sameValue(name, has, wanted) {
		return
	}
	text, set := rendered(has)
	summary := fmt.Sprintf("%s -> %s", text, wanted)
	switch {
	case !set && has != nil && has != "":
		summary = fmt.Sprintf("%s (the chart reads that as not set, and the script's default applies) -> %s",
			values.Text(has), wanted)
	case !set:
		summary = fmt.Sprintf("not set -> %s", wanted)
	case name != valueGPU && decimal(text) == nil:
		summary = fmt.Sprintf("%s (the script cannot read that) -> %s", text, wanted)
	}
	r.add(providers.Finding{ID: "PRICE_TARGET_DIFFERS", Severity: providers.SeverityError, Object: name,
		Summary: summary}, argument)
	r.due = append(r.due, fmt.Sprintf("%s %s (%s)", name, summary, r.spec.where(argument)))
}

// reviewObjects looks for objects of the release that the cluster has otherwise than they were rendered.
func (r *review) reviewObjects() {
	if why := r.release.ObjectsUnknown; why != "" {
		r.add(providers.Finding{ID: "RELEASE_UNKNOWN", Severity: providers.SeverityError, Unknown: true,
			Object: r.release.Name, Summary: "its objects could not be compared with the cluster: " + why})
	}
	for _, o := range r.drifted() {
		name := o.Kind + " " + o.Name
		switch {
		case o.Unknown != "":
			r.add(providers.Finding{ID: "RELEASE_UNKNOWN", Severity: providers.SeverityError, Unknown: true, Object: name,
				Summary: o.Unknown})
			continue
		case o.Missing:
			r.add(providers.Finding{ID: "RELEASE_DRIFT", Severity: providers.SeverityError, Object: name,
				Summary: "is not in the cluster"})
			r.due = append(r.due, name+" is not in the cluster")
			continue
		}
		first := o.Differences[0]
		summary := fmt.Sprintf("%s is %q in the cluster and was rendered as %q", first.Path, first.Live, first.Rendered)
		if more := len(o.Differences) - 1; more > 0 {
			summary += fmt.Sprintf(", and %d more", more)
		}
		r.add(providers.Finding{ID: "RELEASE_DRIFT", Severity: providers.SeverityError, Object: name, Summary: summary})
		r.due = append(r.due, name+": "+summary)
	}
}

// drifted are the objects that differ, without the number of replicas of the provider: that somebody has stopped it
// is a finding of its own.
func (r *review) drifted() []facts.ObjectDrift { return drifted(r.release, r.provider.workload.Name) }

func drifted(release facts.Release, workload string) []facts.ObjectDrift {
	var out []facts.ObjectDrift
	for _, o := range release.Objects {
		if o.Kind == "StatefulSet" && o.Name == workload && !o.Missing && o.Unknown == "" {
			var rest []facts.FieldDifference
			for _, d := range o.Differences {
				if d.Path != "spec.replicas" {
					rest = append(rest, d)
				}
			}
			o.Differences = rest
		}
		if o.Missing || o.Unknown != "" || len(o.Differences) > 0 {
			out = append(out, o)
		}
	}
	return out
}
