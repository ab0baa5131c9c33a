package certificates

import (
	"fmt"
	"slices"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// repair is the meaning of certificates.repair: what an interrupted renewal left is finished or undone.
type repairing struct{}

// Predict assumes of the files in question that keys belong to certificates again, and that those which were not in place yet
// are written again. Whether the helper finishes or undoes, and so which certificates they hold, is not known before.
func (repairing) Predict(in providers.Input, step providers.Step) facts.Update {
	observed := in.World.Nodes[step.Node]
	if observed == nil {
		return facts.Update{}
	}
	n := *observed
	n.Certificates.Files = slices.Clone(n.Certificates.Files)
	for i := range n.Certificates.Files {
		f := &n.Certificates.Files[i]
		if f.Missing || f.Unknown != "" {
			continue
		}
		if rewritten(observed.Certificates.Unfinished, f) {
			f.Modified = in.Now
		}
		if halfDone(observed.Certificates.Unfinished, f.Name) {
			f.Key, f.Chain = "match", ""
		}
	}
	n.Certificates.Unfinished = nil
	return facts.Update{Nodes: []facts.Node{n}}
}

// halfDone reports whether an interrupted renewal was at a file.
func halfDone(unfinished []facts.Unfinished, name string) bool {
	for i := range unfinished {
		if slices.Contains(unfinished[i].Installed, name) || slices.Contains(unfinished[i].Remaining, name) {
			return true
		}
	}
	return false
}

// rewritten reports whether repairing may write a file: it is not in place yet, or its pair is torn.
func rewritten(unfinished []facts.Unfinished, f *facts.CertificateFile) bool {
	for i := range unfinished {
		if slices.Contains(unfinished[i].Remaining, f.Name) {
			return true
		}
	}
	return f.Key == "mismatch" && halfDone(unfinished, f.Name)
}

// Needs: what is repaired on one node is nothing to another.
func (repairing) Needs(in providers.Input, step providers.Step) providers.Needs {
	return providers.NeedsOfNode(in, step)
}

func (repairing) Ground(in providers.Input, step providers.Step) providers.Ground {
	observed := in.World.Nodes[step.Node]
	if observed == nil {
		return nil
	}
	var out repairGround
	for _, u := range observed.Certificates.Unfinished {
		out.Unfinished = append(out.Unfinished, u.ID)
	}
	return out
}

func (repairing) Ready(in providers.Input, step providers.Step) providers.Readiness {
	observed, readiness := known(in, step)
	if observed == nil {
		return readiness
	}
	left := observed.Certificates.Unfinished
	if len(left) == 0 {
		return providers.Done.Because("nothing unfinished is left on %s", step.Node)
	}
	planned, err := providers.GroundOf[repairGround](step)
	if err != nil {
		return providers.Unreadable(err)
	}
	for _, u := range left {
		if !slices.Contains(planned.Unfinished, u.ID) {
			return providers.Moved.Because("renewal %s on %s was interrupted since the plan was made; plan again", u.ID, step.Node)
		}
	}
	return providers.Readiness{State: providers.Holds}
}

func (repairing) Proved(before, after providers.Input, step providers.Step) error {
	was, is, err := bothKnown(before, after, step)
	if err != nil {
		return err
	}
	var touched []string
	for _, u := range was.Certificates.Unfinished {
		touched = append(touched, u.Installed...)
		touched = append(touched, u.Remaining...)
		for _, left := range is.Certificates.Unfinished {
			if left.ID == u.ID {
				return fmt.Errorf("%s: renewal %s is still unfinished", step.Node, u.ID)
			}
		}
	}
	for i := range is.Certificates.Files {
		f := &is.Certificates.Files[i]
		if old := file(&was.Certificates, f.Name); old != nil && old.Missing && f.Missing {
			continue
		}
		if slices.Contains(touched, f.Name) {
			if err := whole(f); err != nil {
				return fmt.Errorf("%s: %w", step.Node, err)
			}
		}
	}
	return untouched(before, after, change{node: step.Node, files: touched})
}
