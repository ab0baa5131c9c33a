package certificates_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/certificates"
	"upkeep/providers/facts"
)

// The operator's own kubeconfig is renewed where the block asks for it: first, since in an outage the API sees what
// follows only with a valid one, and without the API.
func TestOperatorKubeconfig(t *testing.T) {
	const id = cp1 + "/renew-kubeconfig"
	for name, test := range map[string]struct {
		change   func(*facts.World)
		first    bool
		blocks   bool // the other steps come after it
		headline bool
	}{
		"due": {
			change: func(w *facts.World) { w.Kubernetes.Kubeconfig.Blocks[0].NotAfter = now.Add(5 * day) }, first: true,
		},
		"not due": {change: func(*facts.World) {}},
		"its key cannot be read": {change: func(w *facts.World) {
			w.Kubernetes.Kubeconfig.Blocks[0].NotAfter, w.Kubernetes.Kubeconfig.Key = now.Add(-day), "unreadable: permission denied"
		}},
		"no authority signs": {change: func(w *facts.World) {
			w.Kubernetes.Kubeconfig.Blocks[0].NotAfter = now.Add(-day)
			for _, n := range w.Nodes {
				worlds.File(n, "ca").Key = "missing"
			}
		}},
		"the first control plane cannot sign": {change: func(w *facts.World) {
			w.Kubernetes.Kubeconfig.Blocks[0].NotAfter = now.Add(5 * day)
			w.Nodes["cp1"] = &facts.Node{Name: "cp1", Unknown: "ssh: no answer"}
		}},
		"it has expired, and the cluster is well": {change: func(w *facts.World) {
			w.Kubernetes.Kubeconfig.Blocks[0].NotAfter = now.Add(-day)
			w.Kubernetes.Unknown = "the API server refuses this kubeconfig (Unauthorized)"
			worlds.Age(now, 5*day, w.Nodes["cp2"], "apiserver")
		}, first: true, blocks: true, headline: true},
		"it has expired with the whole cluster": {change: func(w *facts.World) {
			expire(w, true, leavesOf...)
			w.Kubernetes.Kubeconfig.Blocks[0].NotAfter = now.Add(-day)
		}, first: true, headline: true},
	} {
		t.Run(name, func(t *testing.T) {
			w, s := worlds.ControlPlanes(3, now), spec()
			test.change(&w)
			s.OperatorKubeconfig = true
			in := input(w, 3)
			out := s.Diff(in)
			i := slices.IndexFunc(out.Steps, func(s providers.Step) bool { return strings.HasSuffix(s.ID, "/renew-kubeconfig") })
			if name == "the first control plane cannot sign" {
				if i < 0 || out.Steps[i].Node != "cp2" {
					t.Errorf("steps %v", ids(out.Steps))
				}
				return
			}
			if (i == 0) != test.first || i > 0 {
				t.Fatalf("steps %v", ids(out.Steps))
			}
			if !test.first {
				return
			}
			if (out.Outage != "") != test.headline {
				t.Errorf("headline %q", out.Outage)
			}
			for _, step := range out.Steps[1:] {
				if slices.Contains(step.After, id) != test.blocks && !(test.blocks && len(step.After) > 0) {
					t.Errorf("%s comes after %v", step.ID, step.After)
				}
			}
			steps, befores := fold(t, in, out.Steps)
			effect := certificates.Type().Effects[certificates.OperationKubeconfig]
			before, after := befores[0], befores[1]
			before.World, after.World = worlds.Concrete(before.World), worlds.Concrete(after.World)
			step := grounded(t, effect, before, steps[0])
			if r := effect.Ready(before, step); r.State != providers.Holds {
				t.Errorf("before: %+v", r)
			}
			if err := effect.Proved(before, after, step); err != nil {
				t.Error(err)
			}
			if r := effect.Ready(after, step); r.State != providers.Done {
				t.Errorf("after: %+v", r)
			}
			if err := effect.Proved(before, before, step); err == nil {
				t.Error("nothing happened, and that is proved")
			}
			if len(effect.ByHand(before, step)) != 2 {
				t.Error("nobody is told how to do it by hand")
			}
			end := befores[len(befores)-1]
			for _, f := range s.Diff(end).Findings {
				if f.ID == "CERT_OPERATOR_KUBECONFIG" || f.ID == "API_UNREACHABLE" {
					t.Errorf("left: %+v", f)
				}
			}
		})
	}
}

// keptKubeconfig has a certificate signed, as the file of the operator does.
type keptKubeconfig struct{ signed []byte }

func (k *keptKubeconfig) Renew(
	ctx context.Context, sign func(ctx context.Context, old, request, proof []byte) ([]byte, error),
) (kept string, err error) {
	k.signed, err = sign(ctx, []byte("old"), []byte("request"), []byte("proof"))
	return "kubeconfig.old", err
}

// The operation asks the step's node alone, and sends no private key.
func TestOperatorKubeconfigAsksItsNode(t *testing.T) {
	w, s := worlds.ControlPlanes(3, now), spec()
	w.Kubernetes.Kubeconfig.Blocks[0].NotAfter = now.Add(5 * day)
	s.OperatorKubeconfig = true
	in := input(w, 3)
	steps, _ := fold(t, in, s.Diff(in).Steps)
	h := &helper{}
	if err := certificates.RenewKubeconfig(h, &keptKubeconfig{}).Run(t.Context(), steps[0], nil); err != nil {
		t.Fatal(err)
	}
	if len(h.calls) != 1 || !strings.HasPrefix(h.calls[0], "cp1 certificates.sign") {
		t.Errorf("%v", h.calls)
	}
}
