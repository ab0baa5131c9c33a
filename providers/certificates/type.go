// Package certificates is the domain of a control plane's certificates: the block `certificates`, what it finds, the
// steps it plans and the operations that carry them out.
//
// It has three rooms. The spec is what the operator wrote. The diff and the effects are pure: same input, same outcome,
// no clock of their own. The operations alone change something, through an interface that this package declares and the
// caller fills. It does not observe: it reads facts. It does not renew authorities, nor what the kubelet rotates itself:
// it says so and says what to do.
//
// It promises that an object that could not be observed is never called healthy, that certificates which are not due
// are not touched unless the operator asks, that nothing is restarted which reloads by itself, and that folding Predict
// over the steps of a diff leaves no step to do when everything is known.
package certificates

import (
	"github.com/zclconf/go-cty/cty"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/layout"
)

// The operations of this domain.
const (
	OperationRepair  = "certificates.repair"
	OperationRenew   = "certificates.renew"
	OperationRestart = "certificates.restart"
	OperationService = "certificates.restart_service"

	OperationKubeconfig = "certificates.operator_kubeconfig"
)

// Type returns the domain as the planner and the language know it.
func Type() providers.Type {
	return providers.Type{
		Disrupts: true,
		BlockType: config.BlockType{
			Name:  "certificates",
			Label: "name",
			Doc: "The certificates of a control plane. Those that end within `renew_before` are renewed, one control plane " +
				"at a time, with the cluster's own kubeadm configuration. Authorities are watched and not renewed; the " +
				"kubelet's certificates are watched and left to the kubelet.",
			Example: example,
			Schema:  schema(),
			Decode:  decode,
			Guards:  []string{guardBackup, guardLeases},
			Restore: restore,
		},
		Effects: map[string]providers.Effect{
			OperationRepair:  repairing{},
			OperationRenew:   renewal{},
			OperationRestart: restarting{},
			OperationService: serviceRestart{},

			OperationKubeconfig: operatorRenewal{},
		},
		Rules: []providers.Consent{
			{Rule: ruleConfiguration, Demands: "a kubeadm configuration that is the cluster's own"},
		},
		Findings: findingDocs(),
	}
}

const example = `certificates "control_plane" {
  layout       = "auto"
  nodes        = role("control-plane")
  renew_before = "30d"
  kubeconfigs  = ["/root/.kube/config"]
}
`

func schema() config.Schema {
	return config.Schema{Attributes: []config.Attribute{
		{
			Name: "layout", Type: cty.String, Default: cty.StringVal("auto"), OneOf: append([]string{"auto"}, layout.Names()...),
			Doc: "Who installed the cluster, and so where the certificates are: `kubeadm`, `kubespray`, `k3s` or `rke2`; " +
				"`auto` tells the layout of each node by the node's own files.",
		},
		{
			Name: "nodes", Type: config.SelectionType, Required: true,
			Doc: "The control planes: `role(\"control-plane\")`, `node.NAME` or `nodes.NAME`.",
		},
		{
			Name: "renew_before", Type: cty.String, Default: cty.StringVal("30d"),
			Doc: "A certificate is renewed when it ends within this time. It must be shorter than the cluster's own " +
				"`certificateValidityPeriod` (kubeadm's default is a year), or renewal would never end.",
		},
		{
			Name: "repair_sans", Type: cty.Bool, Default: cty.False,
			Doc: "Issues serving certificates with the names that they lack (`CERT_SAN_MISSING`), by `kubeadm init phase certs` " +
				"with the cluster's own configuration. A renewal keeps the names unchanged.",
		},
		{
			Name: "operator_kubeconfig", Type: cty.Bool, Default: cty.False,
			Doc: "Renews the client certificate in `cluster.kubeconfig`, too, with which upkeep itself asks the cluster. " +
				"A control plane signs it for a new key that is made where upkeep runs. The old file is kept next to the new one.",
		},
		{
			Name: "kubeconfigs", Type: cty.List(cty.String),
			Doc: "Absolute paths of copies of admin.conf on the nodes, such as /root/.kube/config. They take over the " +
				"client certificate of the node's admin.conf and keep their server and authorities. A node that lacks a " +
				"copy is left without it.",
		},
	}}
}
