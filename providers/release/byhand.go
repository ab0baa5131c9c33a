package release

import (
	"fmt"
	"strings"
	"time"

	"upkeep/providers"
	"upkeep/providers/helm/revision"
	"upkeep/providers/helm/values"
)

// ByHand is how a person does a step while upkeep cannot: with Helm. No secret stands in a runbook: whoever carries it
// out writes them into a file first.

func (upgrading) ByHand(_ providers.Input, step providers.Step) []providers.Command {
	args, err := providers.ArgsOf[upgradeArgs](step)
	if err != nil {
		return nil
	}
	namespace, name, file := providers.ShellWord(args.Namespace), providers.ShellWord(args.Release), providers.ShellWord("changes-"+args.Release+".json")
	write := providers.Command{
		What: "write down the values that change",
		Run:  providers.ShellScript("umask 077", fmt.Sprintf("cat > %s <<'END-OF-VALUES'", file), values.JSON(args.Values), "END-OF-VALUES"),
		See:  "the file is there, and only you can read it",
	}
	check := []string{fmt.Sprintf("test -s %s", file)}
	stop := "the upgrade fails"
	if hidden := values.SealedIn(args.Values); len(hidden) > 0 {
		write.Stop = fmt.Sprintf("put the sensitive values in their place before you go on: %s holds \"%s...\" for %s", file, values.Sealed, strings.Join(hidden, ", "))
		check = append(check, fmt.Sprintf("if grep -n '\"%s' %s; then echo 'put the sensitive values in their place first' >&2; exit 1; fi", values.Sealed, file))
	}
	// --reset-then-reuse-values (Helm 3.14) takes the defaults of the new chart; --reuse-values would keep the old ones.
	verb, keep := "upgrade", " --reset-then-reuse-values"
	undo := providers.ShellScript(fmt.Sprintf("helm -n %s rollback %s", namespace, name))
	if args.Install {
		verb, keep, undo = "install", "", providers.ShellScript(fmt.Sprintf("helm -n %s uninstall %s", namespace, name))
		if args.CreateNamespace {
			keep = " --create-namespace"
		}
	}
	run := fmt.Sprintf("helm %s %s %s -n %s --version %s%s -f %s", verb, name, revision.Reference(args.Source), namespace, providers.ShellWord(args.Version), keep, file)
	see := fmt.Sprintf("helm list says deployed and the version %s", args.Version)
	switch {
	case args.Atomic:
		run += " --atomic --timeout " + time.Duration(args.Timeout).String()
		stop = "the upgrade fails: Helm has gone back by itself"
	case args.Wait:
		run += " --wait --timeout " + time.Duration(args.Timeout).String()
	}
	return []providers.Command{write, {
		What: verb + " " + args.Release + " with the current values and the changes", Run: providers.ShellScript(append(check, run, fmt.Sprintf("helm -n %s list --filter %s", namespace, providers.ShellWord("^"+args.Release+"$")))...),
		See: see, Stop: stop, Undo: undo,
	}}
}
