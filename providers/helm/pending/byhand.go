package pending

import (
	"fmt"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// ByHand is how a person repairs a release while upkeep cannot: what to do, the lines of it for a POSIX shell, and what
// is seen then. Where a revision is deployed, Helm itself goes back to it. Where none ever was, its record of the
// pending revision is deleted after its values are kept in a file: they may hold keys that are nowhere else. revision
// is the pending one.
func ByHand(r facts.Release, revision string) (what string, lines []string, see string) {
	namespace, name := providers.ShellWord(r.Namespace), providers.ShellWord(r.Name)
	lines = []string{fmt.Sprintf("helm -n %s history %s", namespace, name)}
	if _, deployed := r.LastDeployed(); deployed {
		return "go back to the revision that was deployed, which marks the interrupted one as failed",
			append(lines, fmt.Sprintf("helm -n %s rollback %s", namespace, name)), "helm history lists no revision that is pending"
	}
	kept := providers.ShellWord(r.Name + "-values.json")
	return "keep the values of the revision that was never deployed, and delete Helm's record of it; what it made in the cluster stays",
		append(lines, "umask 077", fmt.Sprintf("helm -n %s get values %s -o json > %s", namespace, name, kept), "test -s "+kept,
			fmt.Sprintf("kubectl -n %s delete secret %s", namespace, providers.ShellWord(fmt.Sprintf("sh.helm.release.v1.%s.v%s", r.Name, revision)))),
		fmt.Sprintf("%s is there, and only you can read it; the next step installs the release again, with `--install -f %s`", kept, kept)
}
