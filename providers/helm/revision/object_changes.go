package revision

import (
	"strings"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/values"
)

// mostFields is how many fields of one object a plan names. The others are counted.
const mostFields = 50

// ObjectChanges are the objects that an upgrade creates, changes and deletes, each with its fields. Of a Secret, and of a value
// that is not known to be harmless, only the path is told.
func ObjectChanges(objects []facts.ObjectChange) []providers.Change {
	out := make([]providers.Change, 0, len(objects))
	for _, o := range objects {
		change := providers.Change{What: o.Kind + " " + o.Name, Object: o.Action, Always: o.Action == "delete"}
		for i, d := range o.Differences {
			if i == mostFields {
				change.More = len(o.Differences) - mostFields
				break
			}
			change.Fields = append(change.Fields, fieldChange(o.Kind, d))
		}
		out = append(out, change)
	}
	return out
}

func fieldChange(kind string, d facts.FieldDifference) providers.FieldChange {
	secret := kind == "Secret" && !strings.HasPrefix(d.Path, "metadata.")
	if secret || strings.Contains(d.Live, values.Sealed) || strings.Contains(d.Rendered, values.Sealed) {
		return providers.FieldChange{Path: d.Path, Sensitive: true}
	}
	return providers.FieldChange{Path: d.Path, Before: d.Live, After: d.Rendered}
}
