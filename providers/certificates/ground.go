package certificates

import (
	"fmt"
	"strings"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// known returns the facts of a step's node, or why the step cannot be judged.
func known(in providers.Input, step providers.Step) (*facts.Node, providers.Readiness) {
	n := in.World.Nodes[step.Node]
	why := ""
	switch {
	case n == nil:
		why = "it was not observed"
	case n.Unknown != "":
		why = n.Unknown
	case n.Certificates.Unknown != "":
		why = n.Certificates.Unknown
	case n.ControlPlane.Unknown != "":
		why = n.ControlPlane.Unknown
	default:
		return n, providers.Readiness{}
	}
	return nil, providers.Readiness{State: providers.Unknown, Why: "nothing is known of " + step.Node + ": " + why}
}

func unreadable(step providers.Step, err error) providers.Readiness {
	return providers.Readiness{State: providers.Unknown, Final: true, Why: fmt.Sprintf("the arguments of step %s cannot be read: %v; plan again", step.ID, err)}
}

// bothKnown returns a step's node before and after it, or an error where either is unknown.
func bothKnown(before, after providers.Input, step providers.Step) (was, is *facts.Node, err error) {
	was, readiness := known(before, step)
	if was == nil {
		return nil, nil, fmt.Errorf("%s cannot be proved: before it, %s", step.ID, readiness.Why)
	}
	is, readiness = known(after, step)
	if is == nil {
		return nil, nil, fmt.Errorf("%s cannot be proved: %s", step.ID, readiness.Why)
	}
	return was, is, nil
}

// expectation returns what a step expects of one thing.
func expectation(step providers.Step, what string) (string, bool) {
	for i := range step.Expects {
		if step.Expects[i].What == what {
			return step.Expects[i].Value, true
		}
	}
	return "", false
}

// expected returns all values that a step expects of things of one kind.
func expected(step providers.Step, what string) []string {
	var out []string
	for _, e := range step.Expects {
		if e.What == what {
			out = append(out, e.Value)
		}
	}
	return out
}

// whole returns an error unless a file's key belongs to its certificate and the certificate chains to its authority.
func whole(f *facts.CertificateFile) error {
	switch {
	case f.Missing:
		return fmt.Errorf("%s is missing", f.Name)
	case f.Unknown != "":
		return fmt.Errorf("%s cannot be read: %s", f.Name, f.Unknown)
	case f.Key != "match" && f.Key != "":
		return fmt.Errorf("the key of %s: %s", f.Name, strings.TrimPrefix(f.Key, "unreadable: "))
	case f.Chain != "":
		return fmt.Errorf("%s does not chain to its authority: %s", f.Name, f.Chain)
	}
	return nil
}

// startable says why a component would not come back from a restart; empty when what it reads is whole and valid. Files for
// which settled reports true will be by then.
func startable(n *facts.Node, component string, now time.Time, settled func(*facts.CertificateFile) bool) string {
	for i := range n.Certificates.Files {
		f := &n.Certificates.Files[i]
		if !reads(component, f.Name) || settled(f) {
			continue
		}
		if err := whole(f); err != nil {
			return err.Error()
		}
		if len(f.Blocks) > 0 && !f.Blocks[0].NotAfter.After(now) {
			return f.Name + " " + ends(f.Blocks[0].NotAfter, now)
		}
	}
	return ""
}
