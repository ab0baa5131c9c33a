package driver

import (
	"strings"

	"upkeep/providers"
)

// ByHand is how a person would do the step.
func (e effect) ByHand(_ providers.Input, step providers.Step) []providers.Command {
	a, err := providers.ArgsOf[args](step)
	if err != nil {
		return nil
	}
	flags := "-y --no-install-recommends --allow-downgrades"
	if a.Change.Held {
		flags += " --allow-change-held-packages"
	}
	var words []string
	for word := range strings.FieldsSeq(commandText(a.Change)) {
		words = append(words, providers.ShellWord(word))
	}
	change := flags + " install " + strings.Join(words, " ")
	switch e.operation {
	case OperationDownload:
		return []providers.Command{{
			What: "download driver " + a.Version, Node: step.Node, Run: providers.ShellScript("apt-get -d " + change),
			See:  "Download complete and in download only mode",
			Stop: "apt cannot fetch an archive, or would remove a package that the plan does not show",
		}}
	case OperationPackages:
		lines := []string{"apt-get -s " + change, "DEBIAN_FRONTEND=noninteractive apt-get " + change}
		if len(a.Hold) > 0 {
			lines = append(lines, "apt-mark hold "+strings.Join(a.Hold, " "))
		}
		lines = append(lines, "modinfo -k "+providers.ShellWord(a.Kernel)+" -F version nvidia")
		return []providers.Command{{
			What: "install driver " + a.Version, Node: step.Node, Run: providers.ShellScript(lines...),
			See:  "the last line is " + a.Version,
			Stop: "apt-get -s removes a package that the plan does not show, or the last line is another version",
			Undo: providers.ShellScript(undo(a)),
		}}
	}
	lines := []string{"cat /proc/driver/nvidia/version", "nvidia-smi --query-gpu=index,driver_version --format=csv"}
	if a.Fabric {
		lines = append(lines, "systemctl is-active nvidia-fabricmanager", "nv-fabricmanager --version")
	}
	return []providers.Command{{
		What: "prove driver " + a.Version, Node: step.Node, Run: providers.ShellScript(lines...),
		See:  "each version is " + a.Version + ", and nvidia-smi lists " + providers.Count(a.GPUs, "GPU"),
		Stop: "a version differs, or a GPU is missing: leave the node cordoned",
	}}
}
