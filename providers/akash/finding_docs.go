package akash

import (
	"upkeep/providers"
	"upkeep/providers/helm/catalogue"
)

// findingDocs documents every finding of this domain; docs/findings holds a page for each, checked fresh by a test.
func findingDocs() []providers.FindingDoc {
	return append(catalogue.Findings(), []providers.FindingDoc{
		{
			ID: "PROVIDER_MISSING", Title: "There is no release of that name",
			Meaning: "Helm has no record of the release in the namespace that the block names, so there is no provider that upkeep could look at.",
			Remedy:  "upkeep keeps a provider that exists and does not install one. Correct `release` and `namespace` (`helm list -A` lists releases), or install the provider first.",
		},
		{
			ID: "PROVIDER_NOT_RUNNING", Title: "The provider does not run",
			Meaning: "The StatefulSet or its pod is missing, or the pod is not ready. Nothing bids, no manifests are taken, and no lease is watched. Tenants' workloads run on.",
			Remedy:  "Look at the pod: `kubectl -n akash-services describe pod akash-provider-0`, then its log. The usual reasons: the RPC node lags or the clocks differ by more than 30 seconds; the volume of its home cannot be mounted; its certificate on the chain is revoked. A StatefulSet that is missing comes back with the next upgrade that upkeep plans.",
		},
		{
			ID: "PROVIDER_STOPPED", Title: "The provider is scaled to 0",
			Meaning: "Somebody has stopped the provider, or upkeep has and was interrupted before it started it again: its mark on the StatefulSet tells the two apart. While it is stopped nothing bids, and no lease is closed either.",
			Remedy:  "What upkeep stopped, the next `upkeep apply` starts again first. What somebody else stopped is left so, and nothing that would start it is planned: `kubectl -n akash-services scale statefulset akash-provider --replicas=1`.",
		},
		{
			ID: "PROVIDER_UNKNOWN", Title: "It is not known whether the provider runs",
			Meaning: "The StatefulSet or its pods could not be read.",
			Remedy:  "Look at the rights of the user in `cluster.kubeconfig`: `kubectl auth can-i list pods -n akash-services`.",
		},
		{
			ID: "PROVIDER_ENVIRONMENT_UNKNOWN", Title: "The container did not print its environment",
			Meaning: "upkeep asks the running container for its environment, since that alone shows the prices it really has. Where that is not allowed or fails, the specification of the pod and the ConfigMaps are believed, with their times.",
			Remedy:  "Allow `create` on `pods/exec` in the provider's namespace, if the stronger proof is wanted.",
		},
		{
			ID: "POD_STALE", Title: "The running pod has other values than its release",
			Meaning: "A pod has the environment of the moment it started. With versions 11.6.4 to 12.1.2 of the chart a change of prices changes a ConfigMap and restarts nothing, so the provider bids with the old prices until somebody restarts it.",
			Remedy:  "upkeep restarts the provider and proves that the new pod has the values. Tenants' workloads run on meanwhile.",
		},
		{
			ID: "CHART_TOO_OLD", Title: "The declared version of the chart has no price targets",
			Meaning: "Charts before 6.0.5 do not read `price_target_*`: prices stand in the text of the script.",
			Remedy:  "Declare version 6.0.5 or newer, and a script that reads its targets from the environment.",
		},
		{
			ID: "CHART_GATE", Title: "A change of version needs something else first",
			Meaning: "Some versions of the chart need more than an upgrade: definitions of the matching tag and operators of the provider's version; at 9.0.0 the inventory operator (a warning: it may be there under another name); at 12.0.0 another StatefulSet, since Kubernetes does not let volume claim templates be added; at 15.0.0 a provider of 0.10.7 or later; at 16.0.0 the Gateway API, NGINX Gateway Fabric, the release akash-gateway with its certificates, a provider of 0.11.2 or later, and the ports 80, 443, 5002, 8443 and 8444 of the nodes that the gateway runs on, or may run on: no other pod and no process may hold them. What could not be seen counts as not there, or as taken.",
			Remedy:  "upkeep applies the definitions that the block `crds` names, upgrades the operators and replaces the StatefulSet itself. The finding says what is left to do, and which argument is missing; for a port, who holds it. upkeep asks the nodes themselves about ports that no pod accounts for, so they must be declared. From before 12.0.0 to 16.0.0 and later are two plans: what the second one changes can be seen only when the first has been proved.",
		},
		{
			ID: "CRD_DIFFERS", Title: "A custom resource definition is not as declared",
			Meaning: "The cluster has another schema, or serves other versions, than the text that the block `crds` names; or it lacks the definition. Programs of that tag may then not find the fields that they write.",
			Remedy:  "upkeep applies the definitions by server-side apply before anything else, and reads them back. Where objects may be stored in a version that the text does not have, it refuses: take the steps in between.",
		},
		{
			ID: "CRD_UNKNOWN", Title: "The custom resource definitions are not known",
			Meaning: "The text that `crds` names could not be had or is another one, or the cluster's definitions could not be read.",
			Remedy:  "Look at the URL and the digest; `kubectl auth can-i get customresourcedefinitions` says whether the user in `cluster.kubeconfig` may look.",
		},
		{
			ID: "OPERATOR_VERSION_DIFFERS", Title: "An operator has another version than the provider",
			Meaning: "The releases akash-hostname-operator, inventory-operator and akash-ip-operator must have the provider's version.",
			Remedy:  "upkeep keeps the operator's values in the archive and upgrades it, with the values that it has, to the version of its chart whose program is that of the provider's chart. An upgrade that was interrupted or failed is a finding of its own, `RELEASE_PENDING` or `RELEASE_FAILED`, which names the operator's release. One that a `helm_release` block manages is left to that block, whose step comes before the provider's.",
		},
		{
			ID: "PRICE_TARGET_DIFFERS", Title: "A price of the release is not as declared",
			Meaning: "The value in the release is another one, or one that the chart does not render as it looks: the number 0 and \"\" are left out, so that the script's default holds, and very small or large numbers are written with an exponent, which the script cannot read.",
			Remedy:  "upkeep writes the price as text that means exactly it, and proves it in the running pod.",
		},
		{
			ID: "PRICE_CHANGE_LARGE", Title: "This plan changes prices by more than max_change",
			Meaning: "The effective price of something, as the script charges it, rises or falls by more than `price_targets.max_change`: meant, or a slip of the pen.",
			Remedy:  "Read the prices before and after in the plan. `upkeep apply -override='max_change=REASON'` lets this plan through.",
		},
		{
			ID: "PRICE_MODEL_UNPRICED", Title: "The fleet has GPUs without a price of their own",
			Meaning: "A node offers a model that the mapping does not name. The script charges the highest price of the mapping for it, and at least 100 USD a month (script 6.0.5: 100, whatever the mapping says).",
			Remedy:  "Add the model to `price_targets.gpu`.",
		},
		{
			ID: "PRICE_MODEL_ABSENT", Title: "A price is for GPUs that no node offers",
			Meaning: "No node carries the label of that model. Nodes that are cordoned or not ready carry no labels, so this may pass.",
			Remedy:  "Nothing is due. Correct the name where it was mistyped: models are in lower case, such as `rtx4090`.",
		},
		{
			ID: "PRICE_WILDCARD", Title: "`*` in the mapping is no catch-all",
			Meaning: "The script looks `*` up only for an order that asks for no model at all. A model that is not listed gets the highest price in the mapping, which `*` raises like any other.",
			Remedy:  "Price each model of the fleet by name.",
		},
		{
			ID: "PRICE_FLOOR", Title: "What is not listed costs 100 although everything listed costs less",
			Meaning: "The script starts from 100 USD a month for a model without a price, and looks only for higher ones.",
			Remedy:  "Price each model of the fleet by name.",
		},
		{
			ID: "PRICE_UNREADABLE", Title: "The script reads a price otherwise than it looks",
			Meaning: "A price in the release is one that bc or the shell cannot read, or that the chart leaves out: an exponent, a comma, a space, a duplicate, the number 0. The script then charges something else, or fails and the provider bids on nothing.",
			Remedy:  "Declare the price in `price_targets`: upkeep writes it as text that means exactly it.",
		},
		{
			ID: "BID_SCRIPT_MISSING", Title: "A GPU provider without a bid price script",
			Meaning: "Without a script the provider prices by scale, and scale has no term for GPUs: they are given away.",
			Remedy:  "Declare `bid_script`.",
		},
		{
			ID: "BID_SCRIPT_DIFFERS", Title: "The release has another script than the declared one",
			Meaning: "The script is compared by its bytes.",
			Remedy:  "upkeep keeps the old script in the archive and replaces it; see `BID_SCRIPT_CUSTOMISED` for one that was changed by hand. Where the old script has its prices in its own text, `upkeep price migrate` writes the `price_targets` that keep them under the new one.",
		},
		{
			ID: "BID_SCRIPT_CUSTOMISED", Title: "Somebody has changed the script by hand",
			Meaning: "The script does something that no published version does: a list of tenants, a minimum, another source of prices. What it charges is known only as far as it is like a published one.",
			Remedy:  "upkeep never replaces such a script unasked. Move what was changed elsewhere, then set `replace_customised = true`. The old script is kept in the archive.",
		},
		{
			ID: "BID_SCRIPT_OUTDATED", Title: "There is a newer version of the script",
			Meaning: "upkeep knows a newer version of the published script than the one in the release.",
			Remedy:  "Nothing is due. `upkeep price explain` shows what it would charge.",
		},
		{
			ID: "BID_SCRIPT_TOO_OLD", Title: "The script cannot read what the prices say",
			Meaning: "The mapping uses a size, an interface or decimals, or the release has `price_target_*` at all, and the script is of a version from before these.",
			Remedy:  "Take a newer script: sizes since February 2024, interfaces since March 2024, decimals since April 2024.",
		},
		{
			ID: "BID_SCRIPT_NO_UACT", Title: "The script cannot price orders in uact",
			Meaning: "Since March 2026 orders on mainnet are placed in uact. A script from before charts 15 fails on each of them: \"denom in not supported: uact\", and the provider bids on nothing.",
			Remedy:  "Take the script of chart 15.0.0 or newer.",
		},
		{
			ID: "BID_SCRIPT_DEBUG", Title: "debug_bid_script stops all bids",
			Meaning: "With it the script prints its debugging lines beside the price, and the provider cannot read the price.",
			Remedy:  "Remove `debug_bid_script` from the values.",
		},
		{
			ID: "BID_SCRIPT_UNKNOWN", Title: "The declared script could not be fetched",
			Meaning: "The URL did not answer, so what is declared is not known and nothing is changed.",
			Remedy:  "Look at the URL, or keep the script as a file beside the configuration.",
		},
		{
			ID: "BID_SCRIPT_DIGEST", Title: "Another script stands behind the URL",
			Meaning: "What was fetched has another SHA-256 than the block says: somebody has changed it since it was read.",
			Remedy:  "Read the script, then write the digest that was found.",
		},
		{
			ID: "FLEET_GPUS_UNKNOWN", Title: "The GPUs of the nodes are not known",
			Meaning: "The labels of the nodes could not be read, so it cannot be told which models lack a price.",
			Remedy:  "Look at `cluster.kubeconfig`: the API did not answer.",
		},
	}...)
}
