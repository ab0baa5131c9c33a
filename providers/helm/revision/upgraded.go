package revision

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/values"
	"upkeep/providers/helm/versions"
)

// Upgraded predicts a release as its install, or its upgrade to a version of a chart, leaves it, with values; its
// objects and what runs of it are left to the caller.
func Upgraded(release facts.Release, chart, version string, has values.Tree, now time.Time) facts.Release {
	running := release.Chart
	release.Values, release.Kept = has, nil
	release.History = slices.Clone(release.History)
	last := release.Revision
	for i := range release.History {
		last = max(last, release.History[i].Revision)
		if release.History[i].Status == facts.ReleaseDeployed {
			release.History[i].Status = facts.ReleaseSuperseded
		}
	}
	release.Missing, release.Revision = false, last+1
	release.Status, release.Description, release.Updated = facts.ReleaseDeployed, "Upgrade complete", now
	release.Chart = facts.ChartVersion{Name: chart, Version: version}
	if running.Name == chart && versions.Equal(running.Version, version) {
		release.Chart.AppVersion = running.AppVersion
	}
	if o := release.Offer; o != nil {
		offer := *o
		if versions.Equal(o.Chosen.Version, version) {
			release.Chart.AppVersion = o.Chosen.AppVersion
		}
		if o.Preview != nil {
			preview := *o.Preview
			preview.Objects, preview.Rolls, preview.Forbidden, preview.Absent, preview.Values = nil, nil, nil, nil, release.Values
			offer.Preview = &preview
		}
		release.Offer = &offer
	}
	release.History = append(release.History, facts.ReleaseRevision{Revision: release.Revision, Status: release.Status, Chart: release.Chart, Updated: now})
	return release
}

// Settled predicts a workload once all of its pods are ready; fresh: they are new ones.
func Settled(w facts.Workload, fresh bool, now time.Time) facts.Workload {
	if w.Unknown != "" {
		return w
	}
	w.Missing, w.Settled = false, true
	w.Ready, w.Updated = w.Replicas, w.Replicas
	w.Pods = slices.Clone(w.Pods)
	for i := range w.Pods {
		p := &w.Pods[i]
		p.Ready, p.Problem, p.Phase = true, "", "Running"
		if fresh {
			p.UID, p.Template, p.Created = facts.New, facts.New, now
		}
	}
	return w
}

// OtherTemplate are the workloads of a release whose template in the cluster is not the rendered one ("DaemonSet
// nvdp"): their pods restart when the objects are brought back to what was rendered.
func OtherTemplate(release facts.Release) (out []string) {
	for _, o := range release.Objects {
		_, runs := release.Workload(o.Kind, o.Name)
		if runs && slices.ContainsFunc(o.Differences, func(d facts.FieldDifference) bool { return strings.HasPrefix(d.Path, "spec.template.") }) {
			out = append(out, o.Kind+" "+o.Name)
		}
	}
	return out
}

// Blocked is the finding of an upgrade that is due and that something keeps from being planned, without an address.
func Blocked(release string, due, blocked []string) providers.Finding {
	return providers.Finding{
		ID: "RELEASE_UPGRADE_BLOCKED", Severity: providers.SeverityError, Waits: true, Object: release,
		Summary: fmt.Sprintf("an upgrade is due (%s) and is not planned: %s", due[0], strings.Join(blocked, "; ")),
	}
}

// Reference is how Helm's command line names a chart.
func Reference(source facts.ChartSource) string {
	switch {
	case source.Path != "":
		return providers.ShellWord(source.Path)
	case strings.HasPrefix(source.Repository, "oci://"):
		return providers.ShellWord(source.Repository + "/" + source.Name)
	}
	text := fmt.Sprintf("%s --repo %s", providers.ShellWord(source.Name), providers.ShellWord(source.Repository))
	if source.Private {
		text += ` --username "$CHART_USERNAME" --password "$CHART_PASSWORD"`
	}
	return text
}
