// Package revision is what the steps on a Helm release have in common, whichever domain plans them: the revision that a
// step was planned for, the repair of a revision that an interrupted operation left pending, and what an upgrade makes of
// a release.
//
// It is pure except for Repair, which acts through an interface that its caller fills. It observes nothing, and it knows no
// chart and no block. It promises that a plan, its runbook and the one who applies it say the same of a pending release: one
// patience, one revision, one way out.
package revision

import (
	"fmt"
	"slices"
	"strconv"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/versions"
)

// Args name the release that a step works on; the arguments of such a step embed them. Arguments hold no revision: that is
// in the step's ground, so that the same due work has the same arguments on any day.
type Args struct {
	Namespace string `json:"namespace"`
	Release   string `json:"release"`
}

// Named returns the arguments that name the release.
func (a Args) Named() Args { return a }

// Ground is what a step on a release relies on.
type Ground struct {
	// Revision is the newest one; 0 where there is no release, and nil where it was not known.
	Revision *int `json:"revision,omitempty"`
	// Status is Helm's word for the newest revision; only its repair relies on that.
	Status string `json:"status,omitempty"`
}

// Lines implements providers.Ground.
func (g Ground) Lines() (out []string) {
	if g.Revision != nil {
		text := "none"
		if *g.Revision != 0 {
			text = strconv.Itoa(*g.Revision)
		}
		out = append(out, "revision = "+text)
	}
	if g.Status != "" {
		out = append(out, "status = "+g.Status)
	}
	return out
}

// Of is the ground of a step that relies on a release being at the revision that it has.
func Of(release facts.Release) Ground {
	return Ground{Revision: new(newest(release))}
}

// newest is the newest revision of a release; 0 where there is none.
func newest(release facts.Release) int {
	if release.Missing {
		return 0
	}
	return release.Revision
}

// Planned returns the ground of a step, which must say the revision.
func Planned(step providers.Step) (Ground, error) {
	ground, err := providers.GroundOf[Ground](step)
	if err == nil && ground.Revision == nil {
		err = fmt.Errorf("%s: the plan does not say which revision it was made for; plan again", step.ID)
	}
	return ground, err
}

// Read reads the arguments of a step and looks its release up. The readiness is set where the step cannot be judged.
func Read[A interface{ Named() Args }](in providers.Input, step providers.Step) (args A, release facts.Release, unusable *providers.Readiness) {
	args, err := providers.ArgsOf[A](step)
	if err != nil {
		return args, release, new(providers.Unreadable(err))
	}
	name := args.Named()
	release = in.World.Release(name.Namespace, name.Release)
	if release.Unknown != "" {
		unusable = new(providers.Unknown.Because("release %s/%s: %s", name.Namespace, name.Release, release.Unknown))
	}
	return args, release, unusable
}

// Needs is what a step needs that works on one release of its block: that release alone. preview asks for what an upgrade of
// it would change, which renders its chart.
func Needs(in providers.Input, step providers.Step, preview bool) providers.Needs {
	out := providers.Needs{Kubernetes: providers.KubernetesNeeds{Cluster: true}}
	args, err := providers.ArgsOf[Args](step)
	if err != nil {
		return out
	}
	for _, question := range providers.NeedsOfResource(in, step).Helm.Releases {
		if question.Namespace == args.Namespace && question.Name == args.Release {
			if !preview {
				question.Offer = nil
			}
			out.Helm.Releases = append(out.Helm.Releases, question)
		}
	}
	return out
}

// Moved says how a release is not the one that a step was planned for; "" where it is.
func Moved(release facts.Release, step providers.Step) string {
	ground, err := providers.GroundOf[Ground](step)
	name := release.Namespace + "/" + release.Name
	switch has := newest(release); {
	case err != nil:
		return err.Error()
	case ground.Revision == nil || *ground.Revision == has:
		return ""
	case release.Missing:
		return fmt.Sprintf("release %s does not exist; make a new plan, which installs it", name)
	case *ground.Revision == 0:
		return fmt.Sprintf("somebody installed release %s at revision %d after this plan was made; make a new plan", name, has)
	default:
		return fmt.Sprintf("release %s is at revision %d, and the plan was made for %d: somebody else upgraded it; make a new plan", name, has, *ground.Revision)
	}
}

// Refused says why a planned upgrade to a version of a chart, from the archive with a digest, must not run on a release; ""
// where nothing of the release speaks against it.
func Refused(release facts.Release, step providers.Step, version, sha256 string) string {
	if why := Moved(release, step); why != "" {
		return why
	}
	if release.Pending() {
		return fmt.Sprintf("revision %d of %s is %s: an operation is in progress, or was interrupted; make a new plan, which repairs the release", release.Revision, release.Name, release.Status)
	}
	if o := release.Offer; o != nil && o.Digest != "" && sha256 != "" && o.Digest != sha256 && versions.Equal(o.Chosen.Version, version) {
		return fmt.Sprintf("the archive of chart version %s has another content than when the plan was made (SHA-256 %s, was %s)", version, o.Digest, sha256)
	}
	return ""
}

// Replaced is the update that replaces one release.
func Replaced(r facts.Release) facts.Update { return facts.Update{Releases: []facts.Release{r}} }

// Rollback is the command that goes back to what a release is before it is upgraded, and the same as data.
func Rollback(release facts.Release) (command string, reversal providers.Reversal) {
	revision := release.Revision
	if deployed, ok := release.LastDeployed(); ok {
		revision = deployed.Revision
	}
	command = fmt.Sprintf("helm -n %s rollback %s %d", release.Namespace, release.Name, revision)
	return command, providers.Reversal{Way: providers.ReverseRollback, To: fmt.Sprint(revision)}
}

// ended returns the history of a release with its last revision in a status.
func ended(history []facts.ReleaseRevision, status string) []facts.ReleaseRevision {
	history = slices.Clone(history)
	if last := len(history) - 1; last >= 0 {
		history[last].Status = status
	}
	return history
}
