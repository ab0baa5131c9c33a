package helm

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"helm.sh/helm/v3/pkg/release"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"upkeep/providers/facts"
	"upkeep/providers/helm/objects"
)

// live fills in what the cluster holds of the objects that a revision has rendered.
func (c *Client) live(ctx context.Context, observed *facts.Release, revision *release.Release, question facts.ReleaseQuestion, redaction objects.Redaction) {
	rendered, err := parseManifest(revision.Manifest)
	if err != nil {
		observed.ObjectsUnknown = redaction.Scrub(err.Error())
		observed.WorkloadsUnknown = observed.ObjectsUnknown
		return
	}
	observed.ObjectCount = len(rendered)
	drifts := make([]facts.ObjectDrift, len(rendered))
	workloads := make([]*facts.Workload, len(rendered))
	configMaps := make([]*facts.ConfigMap, len(rendered))
	var group sync.WaitGroup
	for i, o := range rendered {
		group.Go(func() {
			found, err := c.get(ctx, o, question.Namespace)
			drifts[i] = drift(o, found, err, redaction)
			switch objects.Kind(o) {
			case "StatefulSet", "Deployment", "DaemonSet":
				w := c.workload(ctx, o, found, err, question, redaction)
				workloads[i] = &w
			case "ConfigMap":
				configMap := configMapFacts(o, found, err, redaction)
				configMaps[i] = &configMap
			}
		})
	}
	group.Wait()
	for i := range rendered {
		if d := drifts[i]; d.Missing || d.Unknown != "" || len(d.Differences) > 0 {
			observed.Objects = append(observed.Objects, d)
		}
		if workloads[i] != nil {
			observed.Workloads = append(observed.Workloads, *workloads[i])
		}
		if configMaps[i] != nil {
			observed.ConfigMaps = append(observed.ConfigMaps, *configMaps[i])
		}
	}
	slices.SortStableFunc(observed.Objects, func(a, b facts.ObjectDrift) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	slices.SortStableFunc(observed.Workloads, func(a, b facts.Workload) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	slices.SortStableFunc(observed.ConfigMaps, func(a, b facts.ConfigMap) int { return cmp.Compare(a.Name, b.Name) })
}

func drift(rendered objects.Object, live *unstructured.Unstructured, err error, redaction objects.Redaction) facts.ObjectDrift {
	d := facts.ObjectDrift{
		APIVersion: objects.APIVersion(rendered),
		Kind:       objects.Kind(rendered),
		Namespace:  objects.Namespace(rendered),
		Name:       objects.Name(rendered),
	}
	switch {
	case apierrors.IsNotFound(err):
		// A finished Job is deleted by its own clock.
		spec, _ := rendered["spec"].(objects.Object)
		d.Missing = d.Kind != "Job" || spec["ttlSecondsAfterFinished"] == nil
	case meta.IsNoMatchError(err):
		d.Unknown = "the cluster has no kind " + d.Kind + " of " + d.APIVersion
	case err != nil:
		d.Unknown = redaction.Scrub(explain(err))
	default:
		if d.Namespace == "" {
			d.Namespace = live.GetNamespace()
		}
		d.Differences = objects.Drift(typed(rendered), typed(live.Object), redaction)
	}
	return d
}

// get reads the live object of a rendered one.
func (c *Client) get(ctx context.Context, o objects.Object, namespace string) (found *unstructured.Unstructured, err error) {
	mapping, err := c.mapping(o)
	if err != nil {
		return nil, err
	}
	if own := objects.Namespace(o); own != "" {
		namespace = own
	}
	err = c.do(ctx, func() error {
		if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
			found, err = c.dynamic.Resource(mapping.Resource).Namespace(namespace).Get(ctx, objects.Name(o), metav1.GetOptions{})
		} else {
			found, err = c.dynamic.Resource(mapping.Resource).Get(ctx, objects.Name(o), metav1.GetOptions{})
		}
		return err
	})
	return found, err
}

func (c *Client) mapping(o objects.Object) (*meta.RESTMapping, error) {
	gv, err := schema.ParseGroupVersion(objects.APIVersion(o))
	if err != nil {
		return nil, err
	}
	return c.mapper.RESTMapping(gv.WithKind(objects.Kind(o)).GroupKind(), gv.Version)
}

func configMapFacts(rendered objects.Object, live *unstructured.Unstructured, err error, redaction objects.Redaction) facts.ConfigMap {
	f := facts.ConfigMap{Name: objects.Name(rendered)}
	switch {
	case apierrors.IsNotFound(err):
		f.Missing = true
		return f
	case err != nil:
		f.Unknown = redaction.Scrub(explain(err))
		return f
	}
	f.ResourceVersion = live.GetResourceVersion()
	f.Created = live.GetCreationTimestamp().UTC()
	f.Changed = f.Created
	for _, entry := range live.GetManagedFields() {
		if entry.Time != nil && entry.Time.UTC().After(f.Changed) {
			f.Changed = entry.Time.UTC()
		}
	}
	data, _, _ := unstructured.NestedStringMap(live.Object, "data")
	for key, value := range data {
		if f.Data == nil {
			f.Data = map[string]string{}
		}
		f.Data[key] = redaction.Text(key, value)
	}
	return f
}
