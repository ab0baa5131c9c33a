// Package release is the domain of any Helm release: the block `helm_release`, what it finds, the steps it plans and
// the operations that carry them out.
//
// It has three rooms. The spec is what the operator wrote. The diff and the effects are pure: same input, same outcome,
// no clock of their own. The operations alone change something, through an interface that this package declares and the
// caller fills. It does not observe: it reads facts. It knows no chart except for versions that are known to be bad,
// and it uninstalls nothing.
//
// It promises that values which the operator does not mention are unchanged in the release; that a version which fits
// the declared constraint stays although a newer one appears; that a version known to be bad is never chosen; that a
// release counts as upgraded only when it is deployed with the wanted chart and values and the cluster holds what the
// chart renders; that a release which an interrupted run left pending is repaired before it is changed; and that no
// secret value enters a step.
package release

import (
	"github.com/zclconf/go-cty/cty"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/helm/revision"
)

// The operations of this domain.
const (
	OperationRepair  = "release.repair"
	OperationUpgrade = "release.upgrade"
)

// guardBackup stands on an upgrade that interrupts something: pods restart, or objects are deleted.
const guardBackup = "backup"

// Type returns the domain as the planner and the language know it.
func Type() providers.Type {
	return providers.Type{
		Disrupts: true,
		BlockType: config.BlockType{
			Name:  "helm_release",
			Label: "name",
			Doc: "A Helm release of any chart. upkeep installs a missing release, and upgrades a release whose chart, values or " +
				"objects differ. upkeep rolls back an upgrade that fails. Values that the block does not mention are unchanged in the release. " +
				"Removing the block uninstalls nothing.",
			Example: example,
			Schema:  schema(),
			Decode:  decode,
			Guards:  []string{guardBackup},
			Restore: restore,
			Owns:    owns,
		},
		Effects: map[string]providers.Effect{
			OperationRepair:  revision.Repairing{},
			OperationUpgrade: upgrading{},
		},
		Rules:      []providers.Consent{revision.Downgrade()},
		DigestArgs: digestArgs,
		Findings:   findingDocs(),
	}
}

const example = `helm_release "device_plugin" {
  release          = "nvdp"
  namespace        = "nvidia-device-plugin"
  create_namespace = true
  chart {
    repository = "https://nvidia.github.io/k8s-device-plugin"
    name       = "nvidia-device-plugin"
    version    = ">= 0.16.2"
  }
  values = {
    runtimeClassName   = "nvidia"
    deviceListStrategy = "volume-mounts"
  }
}
`

func schema() config.Schema {
	return config.Schema{
		Attributes: []config.Attribute{
			{Name: "release", Type: cty.String, Required: true, Doc: "The name of the release."},
			{Name: "namespace", Type: cty.String, Required: true, Doc: "Its namespace."},
			{
				Name: "create_namespace", Type: cty.Bool, Default: cty.False,
				Doc: "Make the namespace when the release is installed. Without it an install into a missing namespace fails.",
			},
			{
				Name: "values", Type: cty.DynamicPseudoType, Sensitive: true,
				Doc: "Values of the chart, as an object. They are laid over those of the release: what is not mentioned stays, a list is replaced completely, " +
					"and `null` takes a default of the chart away. Sensitive values may stand here: no plan shows or holds them. " +
					"A value whose key looks like a secret's (`password`, `token`, ...) is treated as one.",
			},
			{
				Name: "wait", Type: cty.Bool, Default: cty.True,
				Doc: "Wait until the objects of the release are ready. The step then counts as proved only when its workloads are.",
			},
			{
				Name: "atomic", Type: cty.Bool,
				Doc: "Go back to the previous revision when an upgrade fails; a failed install is uninstalled. It needs `wait`, and is the default with it.",
			},
			{Name: "timeout", Type: cty.String, Default: cty.StringVal("5m"), Doc: "How long to wait."},
		},
		Blocks: []config.NestedBlock{
			{
				Name: "chart", Required: true, Doc: "The chart, from one source, and its version.",
				Schema: config.Schema{Attributes: append([]config.Attribute{
					{Name: "repository", Type: cty.String, Doc: "The URL of a chart repository."},
					{Name: "oci", Type: cty.String, Doc: "`oci://HOST/PATH`, without the chart's name."},
					{Name: "path", Type: cty.String, Doc: "The chart's directory or archive where upkeep runs; a relative path is meant against the configuration directory."},
					{Name: "name", Type: cty.String, Doc: "The name of the chart; required with `repository` and `oci`."},
					{
						Name: "version", Type: cty.String,
						Doc: "An exact version (`0.17.1`) or a constraint (`>= 0.16.2`, `~0.16`); required but with `path`. What runs and fits a constraint stays, " +
							"although there may be a newer version: raise the constraint to take that. What does not fit is upgraded to the newest version that does. " +
							"Versions that are known to be bad are never chosen: 0.16.0 and 0.16.1 of `nvidia-device-plugin`.",
					},
					{Name: "sha256", Type: cty.String, Doc: "The SHA-256 of the chart's archive in hexadecimal: another archive under the same version is refused. It needs an exact `version`."},
					{Name: "insecure", Type: cty.Bool, Default: cty.False, Doc: "Allow a repository without TLS (`http://`): anybody on the way may replace the chart."},
					{Name: "lookup", Type: cty.Bool, Default: cty.False, Doc: "Allow the chart's templates to read objects of the cluster, Secrets among them, by Helm's function `lookup`."},
				}, providers.ChartAccessAttributes()...)},
			},
		},
	}
}
