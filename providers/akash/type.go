// Package akash is the domain of an Akash provider: the block `akash_provider`, what it finds, the steps it plans and
// the operations that carry them out.
//
// It has three rooms. The spec is what the operator wrote. The diff and the effects are pure: same input, same
// outcome, no clock of their own. The operations alone change something, through interfaces that this package
// declares and the caller fills. It does not observe: it reads facts. It does not install a provider, and it does not
// price by itself: package price does.
//
// It promises that values which the operator does not mention are unchanged in the release; that a price is called
// right only when the running pod has it; that a provider which could not be observed is never called healthy; that
// no secret value enters a step; and that a release which an interrupted run left pending is repaired before it is
// changed.
package akash

import (
	"github.com/zclconf/go-cty/cty"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/akash/price"
	"upkeep/providers/helm/revision"
)

// The operations of this domain.
const (
	OperationRepair  = "akash.repair"
	OperationArchive = "akash.archive"
	OperationStop    = "akash.stop"
	OperationStart   = "akash.start"
	OperationReplace = "akash.replace"
	OperationUpgrade = "akash.upgrade"
	OperationRestart = "akash.restart"
	// The stages of a larger step, before the upgrade: see stages.go.
	OperationDefinitions = "akash.crds"
	OperationOperator    = "akash.operator"
)

// guardBackup stands on every step that interrupts or replaces something, and on the one that changes the kinds of the
// cluster. guardLeases does not: it stops the provider, and these steps work on it.
const guardBackup = "backup"

// chartRepository is where Akash publishes the provider's chart.
const chartRepository = "https://akash-network.github.io/helm-charts"

// ruleMaxChange is the consent that an upgrade needs which changes a price by more than max_change: a person says with
// -override=max_change=REASON that it is meant.
const ruleMaxChange = "max_change"

// guardLeases is the guard that this domain provides: see leases.
const guardLeases = "leases"

// Type returns the domain as the planner and the language know it.
func Type() providers.Type {
	return providers.Type{
		Disrupts: true,
		BlockType: config.BlockType{
			Name:  "akash_provider",
			Label: "name",
			Doc: "An Akash provider: its Helm release, its bid price script and its prices. Prices are what the running pod has, " +
				"not what Helm has recorded. Values that the block does not mention are unchanged in the release. " +
				"Provides the guard `leases`: work that could close a tenant's lease stops the provider first, and starts it again.",
			Example: example,
			Schema:  schema(),
			Decode:  decode,
			Guards:  []string{guardBackup},
			Restore: restore,
			Owns:    owns,
		},
		Effects: map[string]providers.Effect{
			OperationRepair:  revision.Repairing{},
			OperationArchive: archiving{},
			OperationStop:    stopping{},
			OperationStart:   starting{},
			OperationReplace: replacing{},
			OperationUpgrade: upgrading{},
			OperationRestart: restarting{},

			OperationDefinitions: defining{},
			OperationOperator:    operating{},
		},
		Rules: []providers.Consent{
			{Rule: guardLeases, Demands: "no work that could close a tenant's lease"},
			revision.Downgrade(),
			{Rule: ruleMaxChange, Demands: "no price changed by more than max_change"},
		},
		DigestArgs: digestArgs,
		Findings:   findingDocs(),
	}
}

const example = `akash_provider "main" {
  release   = "akash-provider"
  namespace = "akash-services"
  chart {
    repository = "https://akash-network.github.io/helm-charts"
    name       = "provider"
    version    = "6.0.5"
  }
  bid_script {
    file = "price_script_generic.sh"
  }
  price_targets {
    cpu        = 1.60 # USD per thread and month
    memory     = 0.80 # USD per GiB and month
    endpoint   = 0.05
    gpu        = { a100 = 120, t4 = 80 }
    max_change = "20%"
  }
}
`

// priceTargets are the arguments of price_targets that hold one number, with the value of the chart, the variable of
// the script and the unit (akash.md 3.2; chart values since 6.0.5).
var priceTargets = []struct{ argument, value, variable, unit string }{
	{"cpu", "price_target_cpu", "PRICE_TARGET_CPU", "thread"},
	{"memory", "price_target_memory", "PRICE_TARGET_MEMORY", "GiB of memory"},
	{"hd_ephemeral", "price_target_hd_ephemeral", "PRICE_TARGET_HD_EPHEMERAL", "GiB of ephemeral storage"},
	{"hd_pers_hdd", "price_target_hd_pers_hdd", "PRICE_TARGET_HD_PERS_HDD", "GiB of persistent storage of class beta1"},
	{"hd_pers_ssd", "price_target_hd_pers_ssd", "PRICE_TARGET_HD_PERS_SSD", "GiB of persistent storage of class beta2"},
	{"hd_pers_nvme", "price_target_hd_pers_nvme", "PRICE_TARGET_HD_PERS_NVME", "GiB of persistent storage of class beta3"},
	{"endpoint", "price_target_endpoint", "PRICE_TARGET_ENDPOINT", "endpoint"},
	{"ip", "price_target_ip", "PRICE_TARGET_IP", "leased IP address"},
}

const (
	valueGPU    = "price_target_gpu_mappings"
	variableGPU = "PRICE_TARGET_GPU_MAPPINGS"
	valueScript = "bidpricescript"
	valueDebug  = "debug_bid_script"
)

func schema() config.Schema {
	prices := []config.Attribute{}
	for _, p := range priceTargets {
		prices = append(prices, config.Attribute{Name: p.argument, Type: cty.Number,
			Doc: "USD per " + p.unit + " and month."})
	}
	prices = append(prices,
		config.Attribute{
			Name: "gpu", Type: cty.Map(cty.Number),
			Doc: "USD per GPU and month, by model: `a100`, `\"a100.80Gi\"`, `\"a100.80Gi.sxm\"`, `\"a100.pcie\"`. It replaces the complete mapping " +
				"of the release. A model that is not listed costs the highest listed price, and at least 100; `*` is no catch-all.",
		},
		config.Attribute{
			Name: "max_change", Type: cty.String,
			Doc: "The most that one plan may change the price of anything, as a percentage; " + defaultMaxChange + "% where it is not set. A plan that changes one by more is refused unless " +
				"it is applied with `-override=max_change=REASON`.",
		})
	prices = append(prices, policyAttributes()...)
	return config.Schema{
		Attributes: []config.Attribute{
			{Name: "release", Type: cty.String, Default: cty.StringVal("akash-provider"), Doc: "The name of the Helm release."},
			{Name: "namespace", Type: cty.String, Default: cty.StringVal("akash-services"), Doc: "Its namespace."},
			{
				Name: "domain", Type: cty.String,
				Doc: "The provider's domain, such as `example.com`. upkeep then looks, from where it runs, at what tenants see: " +
					"the certificates that `provider.DOMAIN` serves on 8443 and 8444, " +
					"the certificate of a name below `ingress.DOMAIN` on 443, and where both names lead. " +
					"What cannot be reached is unknown. " +
					"A certificate that only a restart of the provider renews makes a restart due.",
			},
			{
				Name: "values", Type: cty.DynamicPseudoType, Sensitive: true,
				Doc: "Further values of the chart, as an object. They are laid over those of the release; a list is replaced completely. " +
					"Sensitive values may stand here: no plan shows or holds them.",
			},
			{
				Name: "archive", Type: cty.String, Default: cty.StringVal("akash-archive"),
				Doc: "The directory, where upkeep runs, that keeps what upkeep replaces. Of each revision: the values (`provider.yaml`, with the keys of " +
					"the wallet: mode 0600) and the script (`old-bid-price-script.sh`). Of each operator: the values (`inventory-operator.yaml`).",
			},
			{
				Name: "timeout", Type: cty.String, Default: cty.StringVal("8m"),
				Doc: "How long Helm waits for what an upgrade changes, the operators' upgrades included. A provider is slow to start: it pulls a " +
					"large image, and its liveness probe alone begins after four minutes.",
			},
		},
		Blocks: []config.NestedBlock{
			{
				Name: "chart", Doc: "The chart and its exact version. Without this block the chart is unchanged, and prices cannot be changed.",
				Schema: config.Schema{Attributes: append([]config.Attribute{
					{Name: "repository", Type: cty.String, Doc: "The URL of a chart repository. Without `repository`, `oci` and `path` it is `" + chartRepository + "`."},
					{Name: "oci", Type: cty.String, Doc: "`oci://HOST/PATH`, without the chart's name."},
					{Name: "path", Type: cty.String, Doc: "The chart's directory or archive where upkeep runs; a relative path is meant against the configuration directory."},
					{Name: "name", Type: cty.String, Default: cty.StringVal("provider"), Doc: "The name of the chart."},
					{Name: "version", Type: cty.String, Required: true,
						Doc: "The exact version: an open one would jump whenever the repository does."},
					{Name: "sha256", Type: cty.String, Doc: "The SHA-256 of the chart's archive in hexadecimal: another archive under the same version is refused."},
					{Name: "insecure", Type: cty.Bool, Default: cty.False,
						Doc: "Allow a repository without TLS (`http://`): anybody on the way may replace the chart."},
					{Name: "lookup", Type: cty.Bool, Default: cty.False,
						Doc: "Allow the chart's templates to read objects of the cluster, Secrets among them, by Helm's function `lookup`."},
				}, providers.ChartAccessAttributes()...)},
			},
			{
				Name: "bid_script", Doc: "The bid price script: a published one by its name, or one from a file or a URL. Without this block the script of the release is unchanged.",
				Schema: config.Schema{Attributes: []config.Attribute{
					{
						Name: "published", Type: cty.String,
						Doc: "A script that `akash-network/helm-charts` published, such as `" + string(price.Newest) + "`. upkeep knows its address and its digest, " +
							"fetches it and refuses another text; a plan from recorded facts takes it from them.",
					},
					{Name: "file", Type: cty.String, Doc: "A file; a relative path is meant against the configuration directory."},
					{Name: "url", Type: cty.String, Doc: "An https URL; `sha256` is then required."},
					{Name: "sha256", Type: cty.String, Doc: "The SHA-256 of the script in hexadecimal. A plan that finds another one shows it and changes nothing."},
					{
						Name: "replace_customised", Type: cty.Bool, Default: cty.False,
						Doc: "Replace a script that somebody has changed by hand: lists of tenants and minimums would be lost.",
					},
				}},
			},
			{
				Name: "crds", Doc: "The custom resource definitions of Akash, as the provider's repository has them at the tag of the chart's program: `pkg/apis/akash.network/crd.yaml`. " +
					"They are applied before the operators and the provider are upgraded. A chart of another major version is refused without them.",
				Schema: config.Schema{Attributes: []config.Attribute{
					{Name: "tag", Type: cty.String, Required: true,
						Doc: "The tag of akash-network/provider that they are from, such as `v0.12.0`: the version of the program that the chart brings."},
					{Name: "file", Type: cty.String, Doc: "A file; a relative path is meant against the configuration directory."},
					{Name: "url", Type: cty.String, Doc: "An https URL; `sha256` is then required."},
					{Name: "sha256", Type: cty.String, Doc: "The SHA-256 of the text in hexadecimal. A plan that finds another one shows it and changes nothing."},
				}},
			},
			{
				Name: "price_targets", Doc: "The prices. A price that is not set here is unchanged in the release. A price that is not set in the release either has the script's default.",
				Schema: config.Schema{Attributes: prices},
			},
		},
	}
}
