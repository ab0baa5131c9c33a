package akash

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/pending"
	"upkeep/providers/helm/revision"
)

// operatorUpgrade is one operator that is to be upgraded.
type operatorUpgrade struct {
	release facts.Release
	chart   Chart
	sha256  string
	rolls   bool
	// repair is what comes before it.
	repair pending.Repair
}

// reviewOperators compares the operators with the wanted chart: their versions must be the provider's.
func (r *review) reviewOperators(to string) {
	for _, operator := range operators {
		release := r.in.World.Release(r.spec.Namespace, operator.release)
		if release.Missing {
			continue
		}
		if release.Unknown != "" {
			if r.chartChanges() {
				r.unseen(operator.release, fmt.Sprintf("the version of %s is not known: %s", operator.release, release.Unknown),
					"the operators must have the provider's version; see that the release can be read")
			}
			continue
		}
		wrong := major(inForce(release)) != major(to)
		if owner, managed := r.in.Owners[providers.ReleaseThing(r.spec.Namespace, operator.release)]; managed {
			r.reviewManaged(release, owner, to, wrong)
			continue
		}
		r.reviewOperator(release, operator.chart, to, wrong)
	}
}

// reviewInventory warns of a step over 9.0.0 without the operator that makes a provider of that version see its
// nodes: from 0.5 of the program on, nodes have the labels that the inventory operator gives them, and no others
// (akash.md 2.6, 4.1). It may be there under another name, so that the step is not refused.
func (r *review) reviewInventory(from, to string) {
	if crosses(from, to, firstWithInventory) && r.in.World.Release(r.spec.Namespace, inventoryOperator).Missing {
		r.add(providers.Finding{
			ID: "CHART_GATE", Severity: providers.SeverityWarning, Object: inventoryOperator,
			Summary: fmt.Sprintf("from version %s on, the inventory operator decides what nodes offer; there is no release %s",
				firstWithInventory, inventoryOperator),
			Hint: fmt.Sprintf("see that the chart akash-inventory-operator is installed, at a version that goes with %s; helm_release can do it", to),
		}, "chart.version")
	}
}

// needOperator makes the upgrade of the provider rely on an operator.
func (r *review) needOperator(name, version string) {
	if r.operatorsWanted == nil {
		r.operatorsWanted = map[string]string{}
	}
	r.operatorsWanted[name] = version
}

// operatorOff reports an operator of another version that upkeep does not upgrade.
func (r *review) operatorOff(release facts.Release, to, why, hint string) {
	summary := fmt.Sprintf("%s has version %s and must have the provider's, %s", release.Name, inForce(release), to)
	if why != "" {
		summary += "; " + why
	}
	if r.chartChanges() {
		r.gate(release.Name, summary, hint)
		return
	}
	r.add(providers.Finding{ID: "OPERATOR_VERSION_DIFFERS", Severity: providers.SeverityWarning, Object: release.Name,
		Summary: summary, Hint: hint}, "chart.version")
}

// reviewManaged looks at an operator that another block manages: that block's steps come first, and it is not touched.
func (r *review) reviewManaged(release facts.Release, owner providers.Address, to string, wrong bool) {
	if !wrong {
		r.needOperator(release.Name, release.Chart.Version)
		if !slices.Contains(r.managed, owner) {
			r.managed = append(r.managed, owner)
		}
		return
	}
	o := release.Offer
	if o == nil || o.Unknown != "" || o.ChosenUnknown != "" || o.Preview == nil || o.Preview.Unknown != "" || len(o.Preview.Forbidden)+len(o.Preview.Absent) > 0 ||
		major(o.Chosen.Version) != major(to) || pending.Decide(release, r.in.Clock(), r.spec.patience()).Action == pending.Wait {
		r.operatorOff(release, to, fmt.Sprintf("%s manages it and does not bring that", owner),
			fmt.Sprintf("declare the version that goes with %s in %s, or remove that block: upkeep then upgrades the operator with the provider", to, owner))
		return
	}
	r.needOperator(release.Name, o.Chosen.Version)
	if !slices.Contains(r.managed, owner) {
		r.managed = append(r.managed, owner)
	}
	r.brought = append(r.brought, fmt.Sprintf("%s comes first: it manages %s, which must have the provider's version, and brings %s", owner, release.Name, o.Chosen.Version))
}

// reviewOperator looks at an operator that nobody else manages. One whose last revision did not end well is upgraded
// to the version that goes with the provider's, too, whatever its version was.
func (r *review) reviewOperator(release facts.Release, chart, to string, wrong bool) {
	path := fmt.Sprintf("upgrade %s to the version of its chart that goes with %s; helm_release can do it", release.Name,
		to)
	ill := release.Status != facts.ReleaseDeployed
	why := unoffered(release, chart)
	if why != "" && !wrong && !ill {
		return
	}
	wanted := ""
	if why == "" {
		wanted = release.Offer.Chosen.Version
		newer := before(wanted, inForce(release))
		if newer && !wrong {
			r.needOperator(release.Name, inForce(release))
		} else {
			r.needOperator(release.Name, wanted)
		}
		switch {
		case !ill && (sameVersion(inForce(release), wanted) || !wrong && (newer || !r.chartChanges())):
			return
		case newer:
			why, path = "it is newer, and upkeep does not go back", "upgrade the provider to its version"
		default:
			why = unfit(release.Offer.Preview)
		}
	}
	repair := pending.Decide(release, r.in.Clock(), r.spec.patience())
	if ill && !r.reviewOperatorStatus(release, repair, why) {
		return
	}
	if why != "" {
		if wrong {
			r.operatorOff(release, to, why, path)
		}
		return
	}
	if !sameVersion(inForce(release), wanted) {
		r.add(providers.Finding{
			ID: "OPERATOR_VERSION_DIFFERS", Severity: providers.SeverityError, Object: release.Name,
			Summary: fmt.Sprintf("has version %s, and %s goes with the provider's %s", inForce(release), wanted, to),
		}, "chart.version")
	}
	o := release.Offer
	r.upgrades = append(r.upgrades, operatorUpgrade{
		release: release, chart: Chart{Source: o.Source.Sibling(chart), Version: wanted}, sha256: o.Digest,
		rolls: len(o.Preview.Rolls) > 0 || len(revision.OtherTemplate(release)) > 0, repair: repair,
	})
}

// reviewOperatorStatus reports an operator whose last revision did not end well, and whether anything can be done
// about it now. why says what keeps it from being upgraded; "" where nothing does. The operators come before the
// provider, so a change of the provider's chart waits for those that are not repaired.
func (r *review) reviewOperatorStatus(release facts.Release, repair pending.Repair, why string) (able bool) {
	standing, _ := pending.Find(release, repair, r.in.World.Kubernetes, r.in.Clock())
	able = standing.Blocked == ""
	if able && why != "" {
		standing.Finding.Hint = "upkeep cannot upgrade it (" + why + "); " + undoOf(release)
	}
	r.add(standing.Finding, "chart.version")
	if (!able || why != "") && r.chartChanges() {
		r.block(fmt.Sprintf("revision %d of %s is %s", release.Revision, release.Name, release.Status))
	}
	return able
}

// undoOf is how a person goes back to what a release was before its last operation.
func undoOf(release facts.Release) string {
	if _, deployed := release.LastDeployed(); deployed {
		rollback, _ := revision.Rollback(release)
		return fmt.Sprintf("`%s` goes back to the revision that worked", rollback)
	}
	return fmt.Sprintf("`helm -n %s history %s` says what happened to it: no revision of it ever worked",
		release.Namespace, release.Name)
}

// inForce is the version of an operator's chart whose objects the cluster has: that of the deployed revision, where
// there is one.
func inForce(release facts.Release) string {
	if deployed, ok := release.LastDeployed(); ok && release.Status != facts.ReleaseDeployed {
		return deployed.Chart.Version
	}
	return release.Chart.Version
}

// unoffered says why it is not known which version of an operator goes with the provider's; "" where it is.
func unoffered(release facts.Release, chart string) string {
	switch o := release.Offer; {
	case o == nil:
		return "the chart of the operators is not known where the provider's is at a path"
	case o.Unknown != "":
		return "the chart cannot be had: " + o.Unknown
	case o.ChosenUnknown != "":
		return "which version goes with it is not known: " + o.ChosenUnknown
	case release.Chart.Name != chart:
		return fmt.Sprintf("it is of the chart %s, and not of %s", release.Chart.Name, chart)
	}
	return ""
}

// unfit says why the upgrade of an operator cannot be made as it was previewed; "" where it can.
func unfit(preview *facts.ReleasePreview) string {
	switch {
	case preview == nil:
		return "what an upgrade would change is not known"
	case preview.Unknown != "":
		return "its chart cannot be rendered: " + preview.Unknown
	case len(preview.Forbidden) > 0:
		return "Kubernetes does not let this be changed in place: " + strings.Join(preview.Forbidden, ", ")
	case len(preview.Absent) > 0:
		return "the cluster does not have what its chart uses: " + strings.Join(preview.Absent, ", ")
	}
	return ""
}

// behind says how an operator is not at the major version that an upgrade relies on; "" where it is.
func behind(operator facts.Release, version string) string {
	switch {
	case operator.Unknown != "":
		return fmt.Sprintf("the version of %s is not known: %s", operator.Name, operator.Unknown)
	case operator.Missing:
		return "" // somebody has removed it since: nothing is left behind
	case operator.Status != facts.ReleaseDeployed:
		return fmt.Sprintf("revision %d of %s is %s", operator.Revision, operator.Name, operator.Status)
	case major(operator.Chart.Version) != major(version):
		return fmt.Sprintf("%s has version %s, and %s is wanted", operator.Name, operator.Chart.Version, version)
	}
	return ""
}
