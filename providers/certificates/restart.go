package certificates

import (
	"fmt"
	"slices"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// restarting is the meaning of certificates.restart: components that do not reload get new containers, one after the other.
type restarting struct{}

func (restarting) Predict(in providers.Input, step providers.Step) facts.Update {
	observed := in.World.Nodes[step.Node]
	args, err := providers.ArgsOf[restartArgs](step)
	if observed == nil || err != nil {
		return facts.Update{}
	}
	n := *observed
	n.ControlPlane.StaticPods = slices.Clone(n.ControlPlane.StaticPods)
	for i := range n.ControlPlane.StaticPods {
		p := &n.ControlPlane.StaticPods[i]
		if slices.Contains(args.Components, p.Component) && (p.ContainerID != "" || args.Outage) {
			p.ContainerID, p.StartedAt = facts.New, in.Now
		}
	}
	n.Certificates.Served = slices.Clone(n.Certificates.Served)
	for i := range n.Certificates.Served {
		if s := &n.Certificates.Served[i]; slices.Contains(args.Components, s.Component) && s.Unknown == "" {
			serve(s, &n.Certificates)
		}
	}
	u := facts.Update{Nodes: []facts.Node{n}}
	if args.Outage {
		u = healed(in, u, args.Nodes, step.Node, nil)
	}
	if slices.ContainsFunc(in.World.Kubernetes.Leases, func(l facts.Lease) bool { return slices.Contains(args.Components, l.Name) }) {
		k := in.World.Kubernetes
		if u.Kubernetes != nil {
			k = *u.Kubernetes
		}
		k.Leases = slices.Clone(k.Leases)
		for i := range k.Leases {
			if slices.Contains(args.Components, k.Leases[i].Name) {
				k.Leases[i].RenewedAt = in.Now
			}
		}
		u.Kubernetes = &k
	}
	return u
}

// Needs: the other control planes and etcd say whether this one may be disrupted.
func (restarting) Needs(in providers.Input, step providers.Step) providers.Needs {
	return providers.NeedsOfResource(in, step)
}

func (restarting) Ground(in providers.Input, step providers.Step) providers.Ground {
	observed := in.World.Nodes[step.Node]
	args, err := providers.ArgsOf[restartArgs](step)
	if observed == nil || err != nil {
		return nil
	}
	out := restartGround{Containers: make(containers, len(args.Components))}
	for _, c := range args.Components {
		if p := staticPod(&observed.ControlPlane, c); p != nil && p.ContainerID != "" && p.ContainerID != facts.New {
			out.Containers[c] = p.ContainerID
		}
	}
	return out
}

func (restarting) Ready(in providers.Input, step providers.Step) providers.Readiness {
	observed, readiness := known(in, step)
	if observed == nil {
		return readiness
	}
	args, ground, err := decoded[restartArgs, restartGround](step)
	if err != nil {
		return providers.Unreadable(err)
	}
	if why := observed.ControlPlane.ContainersUnknown; why != "" {
		return providers.Unknown.Because("the containers of %s cannot be seen: %s", step.Node, why)
	}
	todo, kept := 0, ""
	for _, c := range args.Components {
		p := staticPod(&observed.ControlPlane, c)
		switch {
		case p != nil && p.ContainerID == "" && args.Outage:
			todo++ // it ends and starts again: the next one is not waited for long
			continue
		case p == nil || p.ContainerID == "":
			return providers.Moved.Because("%s does not run on %s; it reads the new certificate when it starts. Plan again", c, step.Node)
		}
		id, ok := ground.Containers[c]
		switch {
		case !stale(observed, p):
			if p.ContainerID == id && !args.Outage {
				kept = c
			}
			continue
		case args.Outage: // whichever runs
		case !ok:
			return providers.Unreadable(fmt.Errorf("the plan does not say which container of %s it was made for", c))
		case p.ContainerID != id:
			return providers.Moved.Because("%s on %s runs as container %s, the plan was made for %s; plan again", c, step.Node, short(p.ContainerID), short(id))
		}
		if why := startable(observed, c, in.Clock(), func(*facts.CertificateFile) bool { return false }); why != "" {
			return providers.Moved.Because("%s on %s would not come back from a restart: %s", c, step.Node, why)
		}
		todo++
	}
	if todo == 0 {
		return providers.Done.Because("what runs on %s started after its certificates were renewed", step.Node)
	}
	if kept != "" { // the operation would end its container all the same
		return providers.Moved.Because("%s on %s uses what is on disk by now and need not be restarted; plan again", kept, step.Node)
	}
	if len(observed.Certificates.Unfinished) > 0 {
		return providers.Moved.Because("an interrupted renewal on %s must be repaired first; plan again", step.Node)
	}
	return mayDisrupt(in, args.Nodes, step, touch{restarts: args.Components, repairs: args.Outage}).readiness()
}

// stale reports whether a running component does not use what is on disk.
func stale(n *facts.Node, p *facts.StaticPod) bool {
	if name := kubeconfigOf(p.Component); name != "" {
		f := file(&n.Certificates, name)
		return f != nil && f.Modified.After(p.StartedAt)
	}
	for i := range n.Certificates.Served {
		s := &n.Certificates.Served[i]
		if s.Component != p.Component || s.Unknown != "" {
			continue
		}
		if f := file(&n.Certificates, s.Name); f != nil && len(f.Blocks) > 0 && f.Blocks[0].SHA256 != s.SHA256 {
			return true
		}
	}
	return false
}

// short writes a container id as crictl does.
func short(id string) string {
	if len(id) > 13 {
		return id[:13]
	}
	return id
}
