package certificates

import (
	"fmt"
	"maps"
	"slices"
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
	case n.ControlPlane.Unknown != "" && !servedByService(n):
		why = n.ControlPlane.Unknown
	default:
		return n, providers.Readiness{}
	}
	return nil, providers.Unknown.Because("nothing is known of %s: %s", step.Node, why)
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

// renewGround is what a renewal relies on.
type renewGround struct {
	// Certificates are in the order of the step's names.
	Certificates []heldCertificate `json:"certificates,omitempty"`
	// Containers are those of the components that read a certificate and ran: only then does the plan restart them.
	Containers containers `json:"containers,omitempty"`
}

// heldCertificate is one certificate that a plan was made for.
type heldCertificate struct {
	Name     string    `json:"name"`
	Serial   string    `json:"serial"`
	NotAfter time.Time `json:"not_after"`
}

// certificate returns the certificate of a name, and whether the plan was made for one.
func (g renewGround) certificate(name string) (heldCertificate, bool) {
	i := slices.IndexFunc(g.Certificates, func(c heldCertificate) bool { return c.Name == name })
	if i < 0 {
		return heldCertificate{}, false
	}
	return g.Certificates[i], true
}

// Lines implements providers.Ground.
func (g renewGround) Lines() []string {
	out := make([]string, 0, 2*len(g.Certificates)+len(g.Containers))
	for _, c := range g.Certificates {
		out = append(out, "serial of "+c.Name+" = "+c.Serial, "not_after of "+c.Name+" = "+c.NotAfter.UTC().Format(time.RFC3339))
	}
	return append(out, g.Containers.lines()...)
}

// containers are ids of containers, by component.
type containers map[string]string

func (c containers) lines() (out []string) {
	for _, component := range slices.Sorted(maps.Keys(c)) {
		out = append(out, "container of "+component+" = "+c[component])
	}
	return out
}

// restartGround is what a restart relies on: the containers that it ends.
type restartGround struct {
	Containers containers `json:"containers,omitempty"`
}

// Lines implements providers.Ground.
func (g restartGround) Lines() []string { return g.Containers.lines() }

// repairGround is what repairing relies on: the renewals that were interrupted, by the ids of their intents.
type repairGround struct {
	Unfinished []string `json:"unfinished,omitempty"`
}

// Lines implements providers.Ground.
func (g repairGround) Lines() (out []string) {
	for _, id := range g.Unfinished {
		out = append(out, "unfinished renewal = "+id)
	}
	return out
}

// decoded returns the arguments and the ground of a step.
func decoded[A, G any](step providers.Step) (args A, ground G, err error) {
	if args, err = providers.ArgsOf[A](step); err == nil {
		ground, err = providers.GroundOf[G](step)
	}
	return args, ground, err
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
func startable(n *facts.Node, component string, clock providers.Clock, settled func(*facts.CertificateFile) bool) string {
	for i := range n.Certificates.Files {
		f := &n.Certificates.Files[i]
		if !reads(component, f.Name) || settled(f) {
			continue
		}
		if err := whole(f); err != nil {
			return err.Error()
		}
		if len(f.Blocks) > 0 && clock.Passed(f.Blocks[0].NotAfter) {
			return f.Name + " " + ends(f.Blocks[0].NotAfter, clock.Now())
		}
	}
	return ""
}
