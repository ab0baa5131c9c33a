package akash

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"upkeep/providers"
	"upkeep/providers/akash/script"
	"upkeep/providers/helm/revision"
	"upkeep/providers/helm/values"
)

// ByHand is how a person does a step while upkeep cannot. The commands read what they need from the cluster, so that no
// secret stands in a runbook.

func (archiving) ByHand(_ providers.Input, step providers.Step) []providers.Command {
	args, err := providers.ArgsOf[archiveArgs](step)
	if err != nil {
		return nil
	}
	get := fmt.Sprintf("helm -n %s get values %s -o json", providers.ShellWord(args.Namespace),
		providers.ShellWord(args.Release))
	if args.File != valuesFile {
		file := providers.ShellWord(args.File)
		return []providers.Command{{
			What: "save the current values", Run: providers.ShellScript("umask 077", get+" > "+file,
				"test -s "+file), See: "the file is there, and only you can read it",
		}}
	}
	return []providers.Command{{
		What: "save the current values (with the keys of the wallet) and the bid script",
		Run: providers.ShellScript("umask 077",
			get+" | jq -r '.bidpricescript // empty | @base64d' > "+scriptFile,
			get+" | jq 'del(.bidpricescript)' > provider.yaml",
			"test -s provider.yaml"),
		See: "both files are there, and only you can read them",
	}}
}

func (upgrading) ByHand(in providers.Input, step providers.Step) []providers.Command {
	args, err := providers.ArgsOf[upgradeArgs](step)
	if err != nil {
		return nil
	}
	release, namespace := providers.ShellWord(args.Release), providers.ShellWord(args.Namespace)
	chart := revision.Reference(args.Chart.Source)
	run := []string{"umask 077", "test -s provider.yaml", "cat > changes.json <<'END'", values.JSON(args.Values), "END"}
	set := ""
	if args.Script != "" {
		run = append(run, scriptByHand(in, args)...)
		run = append(run, fmt.Sprintf("echo '%s  price_script_generic.sh' | sha256sum -c", args.Script))
		set = ` --set bidpricescript="$(openssl base64 -A < price_script_generic.sh)"`
	} else {
		set = ` --set bidpricescript="$(openssl base64 -A < old-bid-price-script.sh)"`
	}
	run = append(run, fmt.Sprintf("helm upgrade %s %s -n %s --version %s -f provider.yaml -f changes.json%s --wait --timeout %s", release, chart, namespace, providers.ShellWord(args.Chart.Version), set, time.Duration(args.Timeout)))
	see := "helm list says deployed and the version " + args.Chart.Version
	if args.Rolls {
		see += "; the new pod prints the new prices"
		run = append(run, fmt.Sprintf("kubectl -n %s exec %s-0 -c provider -- env | grep -E 'PRICE_TARGET|BID_PRICE'",
			namespace, providers.ShellWord(args.Workload)))
	}
	stop := "the upgrade fails"
	if hidden := values.SealedIn(args.Values); len(hidden) > 0 {
		stop = "changes.json holds placeholders of sensitive values, \"hmac:...\": put the values in their place first (" + strings.Join(hidden, ", ") + "); or the upgrade fails"
	}
	return []providers.Command{{
		What: "upgrade with the current values and the changes", Run: providers.ShellScript(run...), See: see, Stop: stop,
		Undo: providers.ShellScript(fmt.Sprintf("helm -n %s rollback %s", namespace, release)),
	}}
}

// scriptByHand are the commands that put a policy before the published script. A script without one is a file that
// the reader has.
func scriptByHand(in providers.Input, args upgradeArgs) []string {
	if args.Policy == nil {
		return nil
	}
	text, err := script.Decode(predictedScript(in, in.World.Release(args.Namespace, args.Release), args))
	if err != nil {
		return nil // the digest that is checked next says that the file is another one
	}
	c, ok := script.ReadCompiled(text)
	if !ok {
		return nil
	}
	run := []string{"cat > price_script_generic.sh <<'UPKEEP_PREAMBLE'",
		strings.TrimSuffix(strings.TrimSuffix(string(text), string(c.Published)), "\n"), "UPKEEP_PREAMBLE"}
	fetch := "cat published_script.sh"
	if p, known := script.PublishedWith(digest(c.Published)); known {
		fetch = "curl -fsSL " + providers.ShellWord(p.URL())
	}
	return append(run, fetch+" >> price_script_generic.sh")
}

func (restarting) ByHand(_ providers.Input, step providers.Step) []providers.Command {
	args, err := providers.ArgsOf[releaseArgs](step)
	if err != nil {
		return nil
	}
	out := []providers.Command{{
		What: "restart the provider, so that its pod has the values of the release",
		Run: providers.ShellScript(fmt.Sprintf("kubectl -n %s delete pod %s-0", providers.ShellWord(args.Namespace),
			providers.ShellWord(args.Workload)),
			fmt.Sprintf("kubectl -n %s rollout status statefulset/%s --timeout=8m", providers.ShellWord(args.Namespace),
				providers.ShellWord(args.Workload)),
			fmt.Sprintf("kubectl -n %s exec %s-0 -c provider -- env | grep PRICE_TARGET", providers.ShellWord(args.Namespace),
				providers.ShellWord(args.Workload))),
		See: "the pod prints the prices of the release",
	}}
	for _, question := range mtlsQuestions(args.Domain) {
		out = append(out, providers.Command{
			What: "look at the certificate that the provider shows to tenants at port " + strconv.Itoa(question.Port),
			Run: providers.ShellScript(fmt.Sprintf("openssl s_client -connect %s:%d -noservername </dev/null 2>/dev/null | "+
				"openssl x509 -noout -enddate", question.Host, question.Port)),
			See: "an end that is more than seven days away",
		})
	}
	return out
}

func (stopping) ByHand(in providers.Input, step providers.Step) []providers.Command {
	args, err := providers.ArgsOf[releaseArgs](step)
	if err != nil {
		return nil
	}
	replicas := 1
	if p := providerOf(in.World.Release(args.Namespace, args.Release)); p.workload.Replicas > 0 {
		replicas = p.workload.Replicas
	}
	set := fmt.Sprintf("-n %s statefulset/%s", providers.ShellWord(args.Namespace), providers.ShellWord(args.Workload))
	return []providers.Command{{
		What: "stop the provider, so that the provider closes no lease; marked, so that upkeep starts it again",
		Run: providers.ShellScript(fmt.Sprintf("kubectl annotate --overwrite %s %s='by hand' %s=%d", set, MarkAnnotation,
			MarkReplicas, replicas),
			fmt.Sprintf("kubectl scale %s --replicas=0", set),
			fmt.Sprintf("kubectl -n %s wait --for=delete pod/%s-0 --timeout=3m", providers.ShellWord(args.Namespace),
				providers.ShellWord(args.Workload))),
		See:  "no pod of the provider is left; tenants' pods run on",
		Undo: startScript(args, replicas),
	}}
}

func startScript(args releaseArgs, replicas int) string {
	set := fmt.Sprintf("-n %s statefulset/%s", providers.ShellWord(args.Namespace), providers.ShellWord(args.Workload))
	return providers.ShellScript(fmt.Sprintf("kubectl scale %s --replicas=%d", set, replicas),
		fmt.Sprintf("kubectl annotate %s %s- %s-", set, MarkAnnotation, MarkReplicas),
		fmt.Sprintf("kubectl rollout status %s --timeout=8m", set))
}

func (starting) ByHand(in providers.Input, step providers.Step) []providers.Command {
	args, err := providers.ArgsOf[releaseArgs](step)
	if err != nil {
		return nil
	}
	replicas := replicasOf(providerOf(in.World.Release(args.Namespace, args.Release)).workload)
	return []providers.Command{{
		What: "start the provider again, if it was stopped for this work", Run: startScript(args, replicas),
		See: "the pod is ready, and the leases have not changed",
	}}
}

func (replacing) ByHand(_ providers.Input, step providers.Step) []providers.Command {
	args, err := providers.ArgsOf[releaseArgs](step)
	if err != nil {
		return nil
	}
	set := fmt.Sprintf("-n %s statefulset %s", providers.ShellWord(args.Namespace), providers.ShellWord(args.Workload))
	return []providers.Command{{
		What: "stop the provider and delete its StatefulSet, which the upgrade creates again; its volumes stay",
		Run: providers.ShellScript(fmt.Sprintf("kubectl scale %s --replicas=0", set),
			fmt.Sprintf("kubectl -n %s wait --for=delete pod/%s-0 --timeout=3m", providers.ShellWord(args.Namespace),
				providers.ShellWord(args.Workload)),
			fmt.Sprintf("kubectl delete %s", set)),
		See: "the StatefulSet is deleted; run the upgrade immediately",
		Undo: providers.ShellScript(fmt.Sprintf("helm -n %s rollback %s", providers.ShellWord(args.Namespace),
			providers.ShellWord(args.Release))),
	}}
}
