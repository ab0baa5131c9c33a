package akash

import (
	"fmt"
	"strings"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/plain"
)

// reviewPod looks at what really runs: the pod has the prices of the moment when it started.
func (r *review) reviewPod() {
	p := r.provider
	object := r.release.Name
	switch {
	case r.release.WorkloadsUnknown != "":
		r.add(providers.Finding{ID: "PROVIDER_UNKNOWN", Severity: providers.SeverityError, Unknown: true, Object: object,
			Summary: r.release.WorkloadsUnknown})
		return
	case !p.found || p.workload.Missing:
		r.add(providers.Finding{ID: "PROVIDER_NOT_RUNNING", Severity: providers.SeverityError, Object: object,
			Summary: "the release has no StatefulSet in the cluster: nothing bids, and nothing serves tenants"})
		if p.found {
			r.due = append(r.due, "StatefulSet "+p.workload.Name+" is not in the cluster")
		}
		return
	case p.workload.Unknown != "":
		r.add(providers.Finding{ID: "PROVIDER_UNKNOWN", Severity: providers.SeverityError, Unknown: true, Object: object,
			Summary: p.workload.Unknown})
		return
	case p.stoppedByUs():
		r.add(providers.Finding{
			ID: "PROVIDER_STOPPED", Severity: providers.SeverityError, Object: p.workload.Name,
			Summary: fmt.Sprintf("upkeep stopped it (%s) and has not started it again", p.workload.Annotations[MarkAnnotation]),
		})
		return
	case p.workload.Replicas == 0:
		r.add(providers.Finding{
			ID: "PROVIDER_STOPPED", Severity: providers.SeverityWarning, Object: p.workload.Name,
			Summary: "somebody scaled it to 0: nothing bids, and nothing serves tenants",
			Hint:    fmt.Sprintf("upkeep does not start what it did not stop: `kubectl -n %s scale statefulset %s --replicas=1`", r.spec.Namespace, p.workload.Name),
		})
		r.block("the provider was stopped, and not by upkeep; an upgrade would start it")
		return
	}
	c := container(p.pod)
	if c == nil {
		r.add(providers.Finding{ID: "PROVIDER_NOT_RUNNING", Severity: providers.SeverityError, Object: p.workload.Name,
			Summary: "it has no pod"})
		return
	}
	if !p.pod.Ready {
		why := plain.Said(p.pod.Problem)
		if why == "" {
			why = p.pod.Phase
		}
		r.add(providers.Finding{
			ID: "PROVIDER_NOT_RUNNING", Severity: providers.SeverityError, Object: p.pod.Name, Summary: "the pod is not ready: " + why,
			Hint: fmt.Sprintf("`kubectl -n %s logs %s -c %s` says why", r.spec.Namespace, p.pod.Name, containerName),
		})
	}
	r.reviewEnvironment(*c)
}

// reviewEnvironment compares the pod with the values that the release has: what an upgrade changes is another finding.
func (r *review) reviewEnvironment(c facts.Container) {
	if c.LiveUnknown != "" {
		r.add(providers.Finding{
			ID: "PROVIDER_ENVIRONMENT_UNKNOWN", Severity: providers.SeverityNote, Object: r.provider.pod.Name,
			Summary: "its environment could not be read in the container, so the specification of the pod is believed: " + c.LiveUnknown,
		})
	}
	if c.Started.IsZero() {
		return // the pod is not ready, which is a finding already
	}
	if r.release.Chart.Version != "" && before(r.release.Chart.Version, firstWithTargets) {
		return // the chart does not know the values
	}
	wrong, stale := mismatches(r.release, c)
	for _, m := range wrong {
		summary := fmt.Sprintf("the running pod has %s = %q, and the release says %q", m.variable, m.has, m.wanted)
		r.add(providers.Finding{ID: "POD_STALE", Severity: providers.SeverityError, Object: m.variable, Summary: summary})
		r.restart = append(r.restart, summary)
	}
	if stale != "" && len(wrong) == 0 {
		summary := "a ConfigMap changed after the pod started, so the pod still has the old values: " + stale
		r.add(providers.Finding{ID: "POD_STALE", Severity: providers.SeverityError, Object: r.provider.pod.Name,
			Summary: summary})
		r.restart = append(r.restart, summary)
	}
}

// leasesText says which leases there are, in a few words.
func leasesText(t *facts.Tenancies) string {
	switch {
	case t == nil:
		return "leases not observed"
	case t.Unknown != "":
		return "leases unknown: " + t.Unknown
	}
	text := plural(len(t.Leases), "lease")
	if gpus := t.GPUs(); gpus > 0 {
		text += ", " + plural(gpus, "GPU")
	}
	return text
}

func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func quoted(list []string) string { return strings.Join(list, ", ") }
