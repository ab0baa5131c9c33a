package objects

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"upkeep/providers/facts"
)

// keepAnnotation on an object keeps Helm from deleting it (Helm v3, "Tell Helm not to uninstall a resource").
const keepAnnotation = "helm.sh/resource-policy"

// Effects are what going from one rendering of a release to another changes in the cluster.
type Effects struct {
	Objects []facts.ObjectChange
	// Rolls are workloads whose pods are replaced; Forbidden what Kubernetes refuses to change in place.
	Rolls, Forbidden []string
}

// Compare returns the effects of replacing the objects of one rendering by those of another, in a fixed order.
func Compare(before, after []Object, redaction Redaction) Effects {
	var effects Effects
	old, fresh := index(before), index(after)
	keys := map[string]bool{}
	for key := range old {
		keys[key] = true
	}
	for key := range fresh {
		keys[key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		b, had := old[key]
		a, has := fresh[key]
		switch {
		case had && has:
			differences := Changes(b, a, redaction)
			if len(differences) == 0 {
				continue
			}
			change := of(a, "update")
			change.Differences = differences
			effects.Objects = append(effects.Objects, change)
			name := Kind(a) + " " + Name(a)
			if rolls(b, a) {
				effects.Rolls = append(effects.Rolls, name)
			}
			for _, field := range forbidden(b, a) {
				effects.Forbidden = append(effects.Forbidden, name+": "+field)
			}
		case has:
			effects.Objects = append(effects.Objects, of(a, "create"))
		case Annotation(b, keepAnnotation) == "keep":
			effects.Objects = append(effects.Objects, of(b, "keep"))
		default:
			effects.Objects = append(effects.Objects, of(b, "delete"))
		}
	}
	slices.SortStableFunc(effects.Objects, func(a, b facts.ObjectChange) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return effects
}

func of(o Object, action string) facts.ObjectChange {
	return facts.ObjectChange{Kind: Kind(o), Namespace: Namespace(o), Name: Name(o), Action: action}
}

// index tells objects apart as Helm does, but for the version: an API version that moves on names the same object.
func index(list []Object) map[string]Object {
	out := map[string]Object{}
	for _, o := range list {
		group, _, found := strings.Cut(APIVersion(o), "/")
		if !found {
			group = ""
		}
		out[fmt.Sprintf("%s/%s/%s/%s", group, Kind(o), Namespace(o), Name(o))] = o
	}
	return out
}

// rolls: a change of the pod template makes the controller replace the pods.
func rolls(before, after Object) bool {
	switch Kind(after) {
	case "StatefulSet", "Deployment", "DaemonSet":
	default:
		return false
	}
	template := func(o Object) any {
		spec, _ := o["spec"].(Object)
		return canonical(spec["template"])
	}
	a, b := template(before), template(after)
	return !reflect.DeepEqual(a, b) && len(Changes(Object{"template": a}, Object{"template": b}, Redaction{})) > 0
}

// The fields of a StatefulSet's spec that may be changed in place; all others are refused (Kubernetes v1.36,
// pkg/apis/apps/validation, ValidateStatefulSetUpdate).
var statefulSetMutable = []string{"replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy", "minReadySeconds"}

// forbidden returns the fields whose change Kubernetes refuses.
func forbidden(before, after Object) []string {
	b, _ := before["spec"].(Object)
	a, _ := after["spec"].(Object)
	var fixed []string
	switch Kind(after) {
	case "StatefulSet":
		for _, key := range union(b, a) {
			if !slices.Contains(statefulSetMutable, key) {
				fixed = append(fixed, key)
			}
		}
	case "Deployment", "DaemonSet":
		fixed = []string{"selector"}
	case "Job":
		fixed = []string{"selector", "template", "completionMode"}
	case "ClusterRoleBinding", "RoleBinding":
		if len(Changes(Object{"roleRef": before["roleRef"]}, Object{"roleRef": after["roleRef"]}, Redaction{})) > 0 {
			return []string{"roleRef"}
		}
	case "StorageClass":
		var out []string
		for _, key := range []string{"parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"} {
			if len(Changes(Object{key: before[key]}, Object{key: after[key]}, Redaction{})) > 0 {
				out = append(out, key)
			}
		}
		return out
	}
	var out []string
	for _, key := range fixed {
		if len(Changes(Object{key: b[key]}, Object{key: a[key]}, Redaction{})) > 0 {
			out = append(out, "spec."+key)
		}
	}
	return out
}
