package akash

import (
	"fmt"
	"time"

	"upkeep/providers"
	"upkeep/providers/helm/revision"
)

func (defining) ByHand(_ providers.Input, step providers.Step) []providers.Command {
	args, err := providers.ArgsOf[definitionsArgs](step)
	if err != nil {
		return nil
	}
	run := []string{
		fmt.Sprintf("test -s crd.yaml || curl -fsSL -o crd.yaml %s",
			providers.ShellWord("https://raw.githubusercontent.com/akash-network/provider/"+args.Tag+"/pkg/apis/akash.network/crd.yaml")),
		fmt.Sprintf("echo '%s  crd.yaml' | sha256sum -c", args.SHA256),
		"kubectl apply --server-side --force-conflicts --field-manager=upkeep -f crd.yaml",
	}
	for _, d := range args.Definitions {
		run = append(run, fmt.Sprintf("kubectl wait --for=condition=Established --timeout=60s crd/%s",
			providers.ShellWord(d.Name)))
	}
	return []providers.Command{{
		What: "apply the custom resource definitions of " + args.Tag, Run: providers.ShellScript(run...), See: "each definition is established",
		Stop: "the digest is another one, or a definition is refused",
	}}
}

func (operating) ByHand(_ providers.Input, step providers.Step) []providers.Command {
	args, err := providers.ArgsOf[operatorArgs](step)
	if err != nil {
		return nil
	}
	release, namespace := providers.ShellWord(args.Release), providers.ShellWord(args.Namespace)
	return []providers.Command{{
		What: "upgrade the operator, with the values that it has",
		Run:  providers.ShellScript(fmt.Sprintf("helm upgrade %s %s -n %s --version %s --reset-then-reuse-values --wait --timeout %s", release, revision.Reference(args.Chart.Source), namespace, providers.ShellWord(args.Chart.Version), time.Duration(args.Timeout))),
		See:  "helm list says deployed and the version " + args.Chart.Version, Stop: "the upgrade fails",
		Undo: providers.ShellScript(fmt.Sprintf("helm -n %s rollback %s", namespace, release)),
	}}
}
