package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/planner/report"
	"upkeep/providers"
	"upkeep/providers/certificates"
)

// advise says what to do after a look: what was not asked, what to look at next, what to declare.
func advise(plan planner.Plan, unnamed []string) report.Advice {
	var a report.Advice
	desired := plan.Request.Desired
	if len(unnamed) > 0 {
		a.Unasked = append(a.Unasked, "etcd members "+strings.Join(unnamed, ", ")+": name their nodes, too")
	}
	if desired.Cluster == nil {
		a.Unasked = append(a.Unasked, "the Kubernetes API: give -kubeconfig FILE, and the cluster's nodes, leaders and kubeadm configuration are looked at, too")
	}
	switch {
	case len(desired.Nodes) == 0:
		a.Unasked = append(a.Unasked, "the control planes themselves, and so their certificates and etcd")
		if planes := controlPlaneAddresses(plan); len(planes) > 0 {
			a.Next = append(a.Next, fmt.Sprintf("Look inside: `upkeep doctor -kubeconfig %s root@%s`", desired.Cluster.Kubeconfig, strings.Join(planes, " root@")))
		}
	case len(plan.Unknown()) == len(desired.Nodes):
		a.Next = append(a.Next, "Let upkeep in: the reason is above, and -user, -port, -identity, -known-hosts, -proxy-jump, -ssh-config and -become say how to reach a node.")
	default:
		a.Next = append(a.Next,
			"Write what follows to provider.upkeep.hcl in a directory of its own, with all control planes in it.",
			"`upkeep plan` there shows what upkeep would do; `upkeep plan -as-runbook` how a person would do it.",
		)
		a.Configuration = declare(fitted(desired, plan), hasCopies(plan))
	}
	return a
}

// fitted is what was looked at, with the renewal of certificates as early as the cluster allows: what is printed must
// not be what a finding says is wrong.
func fitted(desired config.Desired, plan planner.Plan) config.Desired {
	desired.Resources = certificates.Fitted(desired.Resources, plan.Request.World.Kubernetes.ClusterConfiguration)
	return desired
}

// controlPlaneAddresses returns the addresses of the control planes that the API lists.
func controlPlaneAddresses(plan planner.Plan) []string {
	var out []string
	for _, n := range plan.Request.World.Kubernetes.Nodes {
		_, plane := n.Labels["node-role.kubernetes.io/control-plane"]
		if address := n.Addresses["InternalIP"]; plane && config.ValidHost(address) { // it becomes part of a command
			out = append(out, address)
		}
	}
	return out
}

// hasCopies reports whether a node has the copy of admin.conf that doctor looks for.
func hasCopies(plan planner.Plan) bool {
	return slices.ContainsFunc(plan.Objects, func(o providers.Object) bool { return o.Name == rootKubeconfig && o.Status != "missing" })
}

// declare writes the configuration that says what a look looked at.
func declare(desired config.Desired, copies bool) string {
	var b strings.Builder
	kubeconfig := "~/.kube/config"
	if desired.Cluster != nil {
		kubeconfig = desired.Cluster.Kubeconfig
	}
	b.WriteString("cluster {\n")
	argument(&b, "kubeconfig", kubeconfig)
	if desired.Cluster != nil {
		argument(&b, "context", desired.Cluster.Context)
	}
	b.WriteString("}\n")
	for _, c := range desired.Connections {
		if bare(c) {
			continue
		}
		fmt.Fprintf(&b, "\nconnection %q {\n", c.Name)
		argument(&b, "user", c.User)
		if c.Port != 0 {
			fmt.Fprintf(&b, "  port = %d\n", c.Port)
		}
		if c.Become {
			b.WriteString("  become = true\n")
		}
		argument(&b, "proxy_jump", c.ProxyJump)
		argument(&b, "known_hosts", c.KnownHosts)
		argument(&b, "identity", c.Identity)
		argument(&b, "ssh_config", c.SSHConfig)
		b.WriteString("}\n")
	}
	for i, c := range desired.Connections {
		label := "control_plane"
		if i > 0 {
			label += strconv.Itoa(i + 1)
		}
		fmt.Fprintf(&b, "\nnode %q {\n  for_each = {\n", label)
		for _, n := range desired.Nodes {
			if n.Connection == c.Name {
				fmt.Fprintf(&b, "    %s = %s\n", config.Quote(n.Name), config.Quote(n.Host))
			}
		}
		b.WriteString("  }\n  host  = each.value\n  roles = [\"control-plane\", \"etcd\"]\n")
		if !bare(c) {
			fmt.Fprintf(&b, "  connection = connection.%s\n", c.Name)
		}
		b.WriteString("}\n")
	}
	var kubeconfigs []string
	if copies {
		kubeconfigs = []string{rootKubeconfig}
	}
	b.WriteString("\n" + certificates.Blocks(desired, kubeconfigs))
	return string(config.Format([]byte(b.String())))
}

// bare reports whether a connection says nothing that plain ssh would not do.
func bare(c config.Connection) bool {
	return c.User == "" && c.Port == 0 && !c.Become && c.ProxyJump == "" && c.KnownHosts == "" && c.Identity == "" && c.SSHConfig == ""
}

// argument writes one argument of a block; nothing where it is empty.
func argument(b *strings.Builder, name, value string) {
	if value != "" {
		fmt.Fprintf(b, "  %s = %s\n", name, config.Quote(value))
	}
}
