package downtime

import (
	"fmt"
	"time"

	"upkeep/providers"
)

// ByHand is how a person would do the step.
func (e effect) ByHand(_ providers.Input, step providers.Step) []providers.Command {
	a, err := providers.ArgsOf[args](step)
	if err != nil {
		return nil
	}
	name := providers.ShellWord(a.Object)
	switch e.operation {
	case OperationCordon:
		return []providers.Command{{
			What: "cordon " + a.Object, Run: providers.ShellScript("kubectl cordon " + name),
			See: "node/" + a.Object + " cordoned", Stop: "the node is cordoned already: somebody else changes the node",
			Undo: providers.ShellScript("kubectl uncordon " + name),
		}}
	case OperationDrain:
		return []providers.Command{{
			What: "drain " + a.Object, Run: providers.ShellScript("kubectl drain " + name + a.Policy.flags()),
			See: "node/" + a.Object + " drained", Stop: "a PodDisruptionBudget refuses an eviction",
		}}
	case OperationReboot:
		command := providers.Command{
			What: "reboot " + step.Node, Node: step.Node, Run: providers.ShellScript("cat /proc/sys/kernel/random/boot_id", "systemctl reboot"),
			See: fmt.Sprintf("the node is back within %s, /proc/sys/kernel/random/boot_id has another value, and `kubectl get node %s` says Ready",
				time.Duration(a.Policy.RebootTimeout), a.Object),
			Stop: "the node does not come back: look at its console, then reset it hard by its BMC: " +
				"ipmitool -I lanplus -H BMC -U USER -E chassis power cycle",
		}
		if a.Kernel != "" {
			command.See += "; `uname -r` says " + a.Kernel
		}
		return []providers.Command{command}
	}
	return []providers.Command{{
		What: "uncordon " + a.Object, Run: providers.ShellScript("kubectl uncordon "+name,
			"kubectl annotate node "+name+" upkeep.dev/cordon-"),
		See: "node/" + a.Object + " uncordoned", Stop: "somebody else has cordoned the node",
		Undo: providers.ShellScript("kubectl cordon " + name),
	}}
}

// flags are those of kubectl drain.
func (p Policy) flags() string {
	flags := fmt.Sprintf(" --ignore-daemonsets --timeout=%s", time.Duration(p.DrainTimeout))
	if p.EmptyDir || p.Leases == LeasesInterrupt {
		flags += " --delete-emptydir-data"
	}
	if p.Bare {
		flags += " --force"
	}
	return flags
}
