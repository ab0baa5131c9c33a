package certificates

import (
	"encoding/json"
	"fmt"
	"path"

	"github.com/hashicorp/hcl/v2"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/strictjson"
)

// Spec is one `certificates` block: what the operator declared. Plain data; it survives JSON.
type Spec struct {
	Name string `json:"name"`
	Key  string `json:"key,omitempty"`
	// Layout is "auto", or one of layout.Names.
	Layout      string           `json:"layout"`
	Nodes       config.Selection `json:"nodes"`
	RenewBefore config.Duration  `json:"renew_before"`
	// RepairSANs asks for serving certificates with the names that the cluster's configuration gives them.
	RepairSANs bool `json:"repair_sans,omitempty"`
	// OperatorKubeconfig asks for a new client certificate in cluster.kubeconfig where that is due.
	OperatorKubeconfig bool `json:"operator_kubeconfig,omitempty"`
	// Kubeconfigs are absolute paths of copies of admin.conf.
	Kubeconfigs []string        `json:"kubeconfigs,omitempty"`
	Position    config.Position `json:"position"`
	// RenewBeforeAt is where renew_before stands; zero where the default holds.
	RenewBeforeAt config.Position `json:"renew_before_at,omitzero"`
}

// Address returns certificates.NAME.
func (s Spec) Address() providers.Address {
	return providers.Address{Type: "certificates", Name: s.Name, Key: s.Key}
}

// Needs asks for the cluster, etcd, and for each selected node its certificates and its part of the control plane. What may be
// done to one control plane depends on the others, whether the block selects them or not.
func (s Spec) Needs() providers.Needs {
	return providers.Needs{
		Kubernetes: providers.KubernetesNeeds{Cluster: true},
		Etcd:       true,
		Nodes: []providers.NodeNeed{
			{
				Nodes: s.Nodes,
				Question: facts.Question{
					Certificates: &facts.CertificatesQuestion{Layout: s.Layout, Kubeconfigs: s.Kubeconfigs},
					ControlPlane: true,
				},
			},
			{Nodes: config.Selection{Roles: []string{"control-plane"}}, Question: facts.Question{ControlPlane: true}},
		},
	}
}

func decode(b config.Block) (any, hcl.Diagnostics) {
	s := Spec{
		Name: b.Name, Key: b.Key,
		Layout:     b.String("layout"),
		Nodes:      b.Selection("nodes"),
		RepairSANs: b.Bool("repair_sans"),

		OperatorKubeconfig: b.Bool("operator_kubeconfig"),
		Kubeconfigs:        b.Strings("kubeconfigs"),
		Position:           config.PositionOf(b.DefRange, b.Directory),
	}
	var diags hcl.Diagnostics
	if _, set := b.Ranges["renew_before"]; set {
		s.RenewBeforeAt = b.Position("renew_before")
	}
	duration, durationDiags := b.Duration("renew_before")
	diags = append(diags, durationDiags...)
	s.RenewBefore = duration
	if !durationDiags.HasErrors() && duration <= 0 {
		diags = append(diags, b.Diagnose("renew_before", "Invalid duration",
			`renew_before must be longer than zero: write how long before its end a certificate is renewed, such as "30d".`))
	}
	if len(s.Nodes.Roles)+len(s.Nodes.Fleets)+len(s.Nodes.Names) == 0 {
		diags = append(diags, b.Diagnose("nodes", "No nodes", `nodes selects nothing. Write role("control-plane"), or name a node or nodes block.`))
	}
	seen := map[string]bool{}
	for _, p := range s.Kubeconfigs {
		switch {
		case !path.IsAbs(p) || path.Clean(p) != p:
			diags = append(diags, b.Diagnose("kubeconfigs", "Not an absolute path", fmt.Sprintf(
				"%q is a path on the nodes and must be absolute and plain, such as \"/root/.kube/config\".", p)))
		case path.Dir(p) == "/etc/kubernetes":
			diags = append(diags, b.Diagnose("kubeconfigs", "Not a copy", fmt.Sprintf(
				"%q is a file of the layout, which is watched anyway. kubeconfigs names copies of admin.conf, such as \"/root/.kube/config\".", p)))
		case seen[p]:
			diags = append(diags, b.Diagnose("kubeconfigs", "Named twice", fmt.Sprintf("%q stands twice in kubeconfigs. Remove one.", p)))
		}
		seen[p] = true
	}
	return s, diags
}

func restore(data json.RawMessage) (any, error) {
	var s Spec
	if err := strictjson.Decode(data, &s); err != nil {
		return nil, fmt.Errorf("certificates block in the plan: %w", err)
	}
	return s, nil
}
