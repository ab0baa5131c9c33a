package certificates

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/node/protocol"
)

// operatorObject is what findings and proofs call the kubeconfig that upkeep itself reads the cluster with.
const operatorObject = "cluster.kubeconfig"

// operatorEstimate is in seconds: one request to one node, and two small files.
const operatorEstimate = 2

type operatorArgs struct {
	// Nodes are the control planes of the block; the step's node signs.
	Nodes config.Selection `json:"nodes"`
}

// operatorGround is the certificate that the plan was made for.
type operatorGround struct {
	Serial   string    `json:"serial"`
	NotAfter time.Time `json:"not_after"`
}

// Lines implements providers.Ground.
func (g operatorGround) Lines() []string {
	return []string{
		"serial of " + operatorObject + " = " + g.Serial,
		"not_after of " + operatorObject + " = " + g.NotAfter.UTC().Format(time.RFC3339),
	}
}

// planOperatorKubeconfig renews the client certificate of cluster.kubeconfig where the block asks for it. It comes
// first, and waits for nothing: signing needs no API, and what follows is seen by the API only with a valid one.
func (r *review) planOperatorKubeconfig() {
	if !r.operatorDue || !r.spec.OperatorKubeconfig {
		return
	}
	node := r.signerOfClients()
	if node == "" {
		return
	}
	leaf, _ := r.in.World.Kubernetes.Kubeconfig.Leaf()
	s := providers.NewStep(r.in, r.address.On(node), "renew-kubeconfig", OperationKubeconfig,
		operatorArgs{Nodes: r.spec.Nodes}, operatorEstimate)
	s.Position, s.Turn = r.at, turnMember
	s.Repairs = r.outage.strange()
	s.Rest = true
	s.Summary = "renew the client certificate in " + r.in.World.Kubernetes.Kubeconfig.Path
	s.Why = []string{
		operatorObject + " " + ends(leaf.NotAfter, r.in.Now),
		r.address.String() + ".operator_kubeconfig = true (" + r.at + ")",
	}
	ca := file(&r.in.World.Nodes[node].Certificates, clientAuthority(r.in.World.Nodes[node]))
	before, after := moved(leaf.NotAfter, operatorEnd(leaf, ca, r.in.Now), defaultValidity)
	s.Changes = []providers.Change{{What: "not_after of " + operatorObject, Before: before, After: after}}
	s.Proof = "the kubeconfig holds a new certificate that ends later, its key, and the same server and CA"
	s.Undo = "the old kubeconfig is kept next to the new one: copy it back"
	s.Reversal = providers.Reversal{Way: providers.ReverseArchive}
	r.out.Steps = append(r.out.Steps, s)
	if r.outage.strange() && !r.down {
		r.kubeconfigFirst = s.ID
	}
}

// signerOfClients is the first control plane that can sign a client certificate; empty where none can.
func (r *review) signerOfClients() string {
	for _, n := range r.nodes {
		observed := r.in.World.Nodes[n.Name]
		if observed == nil || observed.Unknown != "" || observed.Certificates.Unknown != "" {
			continue
		}
		ca := file(&observed.Certificates, clientAuthority(observed))
		if ca != nil && len(ca.Blocks) > 0 && ca.Key == "match" && !r.clock.Passed(ca.Blocks[0].NotAfter) {
			return n.Name
		}
	}
	return ""
}

// clientAuthority names what signs the client certificates of the API on a node.
func clientAuthority(n *facts.Node) string {
	if rancher(n) {
		return "client-ca"
	}
	return "ca"
}

// operatorEnd is when a client certificate ends that a node signs in place of another one: as long after now as that
// one lived, and not after its authority.
func operatorEnd(leaf facts.Certificate, ca *facts.CertificateFile, now time.Time) time.Time {
	life := leaf.NotAfter.Sub(leaf.NotBefore) - backdate
	if ca == nil || len(ca.Blocks) == 0 {
		return now.Add(life)
	}
	if ca.Blocks[0].NotBefore.Equal(leaf.NotBefore) {
		life = defaultValidity
	}
	if end := now.Add(life); end.Before(ca.Blocks[0].NotAfter) {
		return end
	}
	return ca.Blocks[0].NotAfter
}

// operatorRenewal is the meaning of certificates.operator_kubeconfig: the client certificate of cluster.kubeconfig is
// signed again, for a new key that is made where upkeep runs.
type operatorRenewal struct{}

func (operatorRenewal) Predict(in providers.Input, step providers.Step) facts.Update {
	observed := in.World.Nodes[step.Node]
	args, err := providers.ArgsOf[operatorArgs](step)
	k := in.World.Kubernetes
	leaf, ok := k.Kubeconfig.Leaf()
	if observed == nil || !ok || err != nil {
		return facts.Update{}
	}
	end := operatorEnd(leaf, file(&observed.Certificates, clientAuthority(observed)), in.Now)
	leaf.Serial, leaf.SHA256 = facts.New, facts.New
	leaf.NotBefore, leaf.NotAfter = in.Now.Add(-backdate), end
	k.Kubeconfig.Blocks, k.Kubeconfig.Modified, k.Kubeconfig.Key = []facts.Certificate{leaf}, in.Now, "match"
	next := in
	next.World = in.World.Clone()
	next.World.Kubernetes = k
	if was, is := outageOf(in, args.Nodes, true), outageOf(next, args.Nodes, true); was.dark && !is.dark {
		if found := configurationOf(in); found.text != "" { // it was only that upkeep was refused
			k.Unknown, k.ClusterConfiguration, k.ClusterConfigurationUnknown = "", found.text, ""
		}
	}
	return facts.Update{Kubernetes: &k}
}

func (operatorRenewal) Needs(in providers.Input, step providers.Step) providers.Needs {
	return providers.NeedsOfResource(in, step)
}

func (operatorRenewal) Ground(in providers.Input, _ providers.Step) providers.Ground {
	leaf, ok := in.World.Kubernetes.Kubeconfig.Leaf()
	if !ok || leaf.Serial == facts.New {
		return nil
	}
	return operatorGround{leaf.Serial, leaf.NotAfter.UTC().Truncate(time.Second)}
}

func (operatorRenewal) Ready(in providers.Input, step providers.Step) providers.Readiness {
	ground, err := providers.GroundOf[operatorGround](step)
	if err != nil {
		return providers.Unreadable(err)
	}
	f := &in.World.Kubernetes.Kubeconfig
	leaf, ok := f.Leaf()
	switch {
	case f.Unknown != "":
		return providers.Unknown.Because("%s cannot be read: %s", operatorObject, f.Unknown)
	case !ok:
		return providers.Moved.Because("%s has no client certificate any more; plan again", operatorObject)
	case leaf.Serial != ground.Serial && leaf.NotAfter.After(ground.NotAfter):
		return providers.Done.Because("the client certificate of %s was renewed since the plan was made", operatorObject)
	case leaf.Serial != ground.Serial:
		return providers.Moved.Because("%s has another client certificate than the plan was made for; plan again",
			operatorObject)
	}
	observed, readiness := known(in, step)
	if observed == nil {
		return readiness
	}
	if r := (&review{in: in}); !r.authorityHolds(observed) {
		return providers.Moved.Because("the authority of %s is not the one that cluster.kubeconfig trusts", step.Node)
	}
	return providers.Readiness{State: providers.Holds}
}

func (operatorRenewal) Proved(before, after providers.Input, step providers.Step) error {
	ground, err := providers.GroundOf[operatorGround](step)
	if err != nil {
		return err
	}
	was, is := &before.World.Kubernetes.Kubeconfig, &after.World.Kubernetes.Kubeconfig
	leaf, ok := is.Leaf()
	switch {
	case is.Unknown != "":
		return fmt.Errorf("%s cannot be read: %s", operatorObject, is.Unknown)
	case !ok || leaf.Serial == ground.Serial:
		return fmt.Errorf("%s still has the old client certificate", operatorObject)
	case !leaf.NotAfter.After(ground.NotAfter) || after.Clock().Passed(leaf.NotAfter):
		return fmt.Errorf("the new client certificate of %s ends too early: %s", operatorObject,
			leaf.NotAfter.UTC().Format(time.RFC3339))
	case is.Key != "match":
		return fmt.Errorf("the key of %s: %s", operatorObject, is.Key)
	case is.Server != was.Server || !slices.Equal(is.Authorities, was.Authorities):
		return fmt.Errorf("%s has another server or CA than before", operatorObject)
	}
	return nil
}

// ByHand signs on the node, and leaves a key there for the operator to take.
func (operatorRenewal) ByHand(in providers.Input, step providers.Step) []providers.Command {
	h := byHand(in, step)
	ca := file(&h.node.Certificates, clientAuthority(&h.node))
	leaf, ok := in.World.Kubernetes.Kubeconfig.Leaf()
	if ca == nil || !ok || strings.ContainsAny(leaf.Subject, `\"`) {
		return nil
	}
	path := providers.ShellWord(in.World.Kubernetes.Kubeconfig.Path)
	run := script(stopFunction,
		"umask 077", "mkdir -p "+handDirectory, "cd "+handDirectory,
		"printf 'keyUsage=critical,digitalSignature\\nextendedKeyUsage=clientAuth\\n' > operator.ext",
		"openssl req -new -newkey rsa:2048 -nodes -subj "+providers.ShellWord(opensslSubject(leaf.Subject))+
			" -keyout operator.key -out operator.csr",
		"openssl x509 -req -days 365 -in operator.csr -extfile operator.ext -out operator.crt -CA "+
			providers.ShellWord(ca.Path)+" -CAkey "+providers.ShellWord(ca.KeyPath)+
			` -CAcreateserial || stop "nothing was signed"`,
		"openssl x509 -noout -subject -enddate -in operator.crt",
	)
	put := script("cp -p "+path+" "+path+".old",
		"user=$(kubectl --kubeconfig "+path+" config view --minify -o 'jsonpath={.contexts[0].context.user}')",
		"kubectl --kubeconfig "+path+` config set-credentials "$user" --embed-certs`+
			` --client-certificate operator.crt --client-key operator.key`,
	)
	return []providers.Command{
		h.command("sign a client certificate for cluster.kubeconfig", run, "the subject, and an end a year from now",
			"a line that begins with STOP", ""),
		{
			What: "copy operator.crt and operator.key from " + handDirectory + " on " + step.Node +
				" here, then put them into the kubeconfig",
			Run: put, See: "User \"…\" set.", Undo: "cp -p " + path + ".old " + path,
		},
	}
}

// Kubeconfig is the file that cluster.kubeconfig names.
type Kubeconfig interface {
	// Renew makes a new key, has sign sign a certificate for it, and replaces both in the file. It returns where the old
	// file was kept.
	Renew(
		ctx context.Context, sign func(ctx context.Context, old, request, proof []byte) ([]byte, error),
	) (kept string, err error)
}

// RenewKubeconfig is the operation of OperationKubeconfig.
func RenewKubeconfig(c Caller, k Kubeconfig) providers.Operation { return renewKubeconfig{c, k} }

type renewKubeconfig struct {
	caller     Caller
	kubeconfig Kubeconfig
}

func (o renewKubeconfig) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	if step.Node == "" {
		return errors.New(step.ID + ": the plan names no node that signs; plan again")
	}
	kept, err := o.kubeconfig.Renew(ctx, func(ctx context.Context, old, request, proof []byte) ([]byte, error) {
		var result protocol.SignResult
		q := protocol.SignRequest{Step: step.ID, Certificate: old, Request: request, Proof: proof}
		err := o.caller.Call(ctx, step.Node, protocol.MethodSign, q, &result, progress)
		return result.Certificate, err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", step.Summary, err)
	}
	progress.Say("the old kubeconfig is kept as %s", kept)
	return nil
}

// opensslSubject writes a subject as openssl's -subj takes it: "O=b,CN=a" as "/CN=a/O=b".
func opensslSubject(subject string) string {
	var out string
	for _, part := range strings.FieldsFunc(subject, func(r rune) bool { return r == ',' || r == '+' }) {
		out += "/" + strings.NewReplacer("/", `\/`).Replace(part)
	}
	return out
}
