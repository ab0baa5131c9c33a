package certificates

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/strict"
)

// handDirectory is where a person's work on a node keeps what it needs. It holds private keys, as root's alone.
const handDirectory = "/root/upkeep-runbook"

// commandWriter writes the commands of one step for a person. Scripts are for a POSIX shell (dash among them) run as root on the
// step's node with `set -eu`; whatever comes from the node or the cluster is quoted in them.
type commandWriter struct {
	in   providers.Input
	step providers.Step
	node facts.Node
	// early: expired certificates keep the cluster down, and after this step some still do. So nothing can be proved
	// by it yet; left are the control planes that follow.
	early bool
	left  string
}

func byHand(in providers.Input, step providers.Step) commandWriter {
	return commandWriter{in: in, step: step, node: in.World.Node(step.Node)}
}

// during says which world a step of an outage leaves behind.
func (h commandWriter) during(nodes config.Selection, outage bool, u facts.Update) commandWriter {
	if !outage {
		return h
	}
	next := h.in
	next.World = h.in.World.Clone()
	next.World.Apply(u)
	after := outageOf(next, nodes, true)
	h.early = after.any()
	if h.left = after.left(); h.left == "" {
		h.left = "none"
	}
	return h
}

func (h commandWriter) command(what, run, see, stop, undo string) providers.Command {
	return providers.Command{What: what, Node: h.step.Node, Run: run, See: see, Stop: stop, Undo: undo}
}

// script joins lines.
func script(lines ...string) string {
	return strings.Join(slices.DeleteFunc(lines, func(s string) bool { return s == "" }), "\n")
}

// heredoc returns a shell's here-document of a text, taken literally.
func heredoc(text string) string {
	text = strings.TrimRight(text, "\n") + "\n"
	end := "CONFIGURATION"
	for strings.Contains("\n"+text, "\n"+end+"\n") {
		end += "_"
	}
	return "<<'" + end + "'\n" + text + end
}

const stopFunction = `stop() { echo "STOP: $*" >&2; exit 1; }`

// valid reports whether a certificate of the node can be used now.
func (h commandWriter) valid(name string) bool {
	f := file(&h.node.Certificates, name)
	return f != nil && whole(f) == nil && len(f.Blocks) > 0 && !h.in.Clock().Passed(f.Blocks[0].NotAfter)
}

// asksAPI and asksEtcd report whether the API and etcd answered when the runbook was made: a person then holds them to it. Where
// they did not, as when their certificates have expired, they cannot be asked before the work either.
func (h commandWriter) asksAPI() bool {
	return h.in.World.Kubernetes.Unknown == "" && h.node.ControlPlane.APIServer.Ready && h.valid(adminConf)
}

func (h commandWriter) asksEtcd() bool {
	return h.in.World.Etcd.Unknown == "" && h.stacked() && h.valid("etcd-healthcheck-client")
}

func (h commandWriter) stacked() bool { return stackedEtcd(h.in) }

func (h commandWriter) path(name string) string {
	if f := file(&h.node.Certificates, name); f != nil {
		return f.Path
	}
	return ""
}

// served returns the address at which a certificate of the node is served; empty where it is not.
func (h commandWriter) served(name string) string {
	for _, s := range h.node.Certificates.Served {
		if s.Name == name && s.Component != kubelet {
			return s.Address
		}
	}
	return ""
}

// apiFunction asks the node's own API server, as its administrator.
func (h commandWriter) apiFunction() string {
	server := ""
	if address := h.served("apiserver"); address != "" {
		server = " --server=" + providers.ShellWord("https://"+address)
	}
	return "api() { kubectl --kubeconfig /etc/kubernetes/" + adminConf + server + ` --request-timeout=20s "$@"; }`
}

// etcdFunction asks the node's own etcd member: by the etcdctl of the node, else by that of the pod.
func (h commandWriter) etcdFunction() string {
	endpoint := "127.0.0.1:2379"
	if address := h.served("etcd-server"); address != "" {
		endpoint = address
	}
	name := h.step.Node
	for _, m := range h.in.World.Etcd.Members {
		if m.Node == h.step.Node && m.Name != "" {
			name = m.Name
		}
	}
	return script(
		"etcd() {",
		"  set -- --endpoints="+providers.ShellWord("https://"+endpoint)+" --cacert=/etc/kubernetes/pki/etcd/ca.crt \\",
		"    --cert=/etc/kubernetes/pki/etcd/healthcheck-client.crt --key=/etc/kubernetes/pki/etcd/healthcheck-client.key \"$@\"",
		`  if command -v etcdctl >/dev/null; then`,
		`    etcdctl version 2>/dev/null | grep -q 'API version: 3' || export ETCDCTL_API=3 # before etcd 3.4`,
		`    etcdctl "$@"`,
		"  else api --request-timeout=60s -n kube-system exec "+providers.ShellWord("etcd-"+name)+` -c etcd -- etcdctl "$@"; fi`,
		"}",
	)
}

// completeScript holds the API server of the node and etcd to being whole, waiting for a while.
func (h commandWriter) completeScript(api, etcd bool) string {
	var lines []string
	if api {
		lines = append(lines,
			"n=0",
			`until [ "$(api get --raw /readyz 2>/dev/null)" = ok ]; do`,
			`  n=$((n+1)); [ $n -lt 60 ] || stop "the API server of this node is not ready: $(api get --raw '/readyz?verbose' 2>&1)"; sleep 2`,
			"done",
			`echo "API server: ok"`,
			"api wait --for=condition=Ready node -l node-role.kubernetes.io/control-plane --timeout=60s ||",
			`  stop "a control plane is not Ready"`,
		)
	}
	if etcd {
		lines = append(lines,
			"n=0",
			"until etcd endpoint health --cluster; do",
			`  n=$((n+1)); [ $n -lt 20 ] || stop "an etcd member is not healthy"; sleep 3`,
			"done",
		)
		if members := len(h.in.World.Etcd.Members); members > 0 {
			lines = append(lines, fmt.Sprintf(`[ "$(etcd member list | grep -c .)" -eq %d ] || stop "etcd does not have %d members"`, members, members))
		}
		lines = append(lines, `[ -z "$(etcd alarm list)" ] || stop "etcd raises an alarm: $(etcd alarm list)"`)
	}
	return script(lines...)
}

// lookFirst checks that this is the right cluster, that it is whole and that the work is still to be done.
func (h commandWriter) lookFirst() providers.Command {
	lines := []string{stopFunction}
	// A half-done renewal may be why something is not whole: repairing waits for nothing.
	repair := h.step.Operation == OperationRepair
	api, etcd := h.asksAPI() && !repair && !h.early, h.asksEtcd() && !repair && !h.early
	if api || etcd {
		lines = append(lines, h.apiFunction())
	}
	if etcd {
		lines = append(lines, h.etcdFunction())
	}
	if ca := file(&h.node.Certificates, "ca"); ca != nil && len(ca.Blocks) > 0 {
		lines = append(lines, "[ \"$(openssl x509 -in "+providers.ShellWord(ca.Path)+" -outform DER | sha256sum | cut -d' ' -f1)\" = "+providers.ShellWord(ca.Blocks[0].SHA256)+" ] ||",
			`  stop "this node belongs to another cluster than the one the runbook was made for"`)
	}
	if uid := h.in.World.Kubernetes.UID; api && uid != "" {
		lines = append(lines, "[ \"$(api get namespace kube-system -o jsonpath='{.metadata.uid}')\" = "+providers.ShellWord(uid)+" ] ||",
			`  stop "this is another cluster than the one the runbook was made for"`)
	}
	if !repair {
		lines = append(lines, `if ls /var/lib/upkeep/intents/*/intent.json >/dev/null 2>&1; then stop "a renewal of upkeep was interrupted on this node and must be repaired first"; fi`)
	}
	lines = append(lines, h.completeScript(api, etcd))
	see := "\"API server: ok\", every control plane \"condition met\", every etcd member \"is healthy\""
	switch {
	case repair:
		see = "nothing"
	case !api && !etcd:
		see = "no error. The API and etcd did not answer when this was made and are not asked: be sure that you know why"
	case !api:
		see = "every etcd member \"is healthy\". The API did not answer when this was made and is not asked: be sure that you know why"
	case !etcd:
		see = "\"API server: ok\" and every control plane \"condition met\""
	}
	return h.command("look first", script(lines...), see, "a line that begins with STOP; a node or a member that is missing", "")
}

// lookLast checks that the node's control plane is whole after a step. Where the cluster did not answer before, it may need
// the same work on its other nodes first, and is only looked at.
func (h commandWriter) lookLast() providers.Command {
	strictAPI := h.in.World.Kubernetes.Unknown == "" && !h.early
	strictEtcd := h.in.World.Etcd.Unknown == "" && h.stacked() && !h.early
	lines := []string{stopFunction, h.apiFunction()}
	if h.stacked() {
		lines = append(lines, h.etcdFunction())
	}
	see := "\"API server: ok\", every control plane \"condition met\"; every etcd member \"is healthy\" where etcd runs on the control planes"
	if !strictAPI && !h.early {
		lines = append(lines, "api get --raw '/readyz?verbose' || echo 'the API server of this node is not ready yet'")
		see = "check what is healthy now: the cluster did not answer when this was made, and may answer only after its last control plane"
	}
	if h.early {
		lines = append(lines, "api get --raw '/readyz?verbose' || echo 'the API server of this node is not ready yet'")
		see = "check what is healthy now. Certificates have expired on other control planes, which follow: " + h.left
	}
	if !strictEtcd && h.stacked() && h.early {
		lines = append(lines, "etcd endpoint health --cluster || echo 'etcd is not healthy yet'")
	}
	if !strictEtcd && h.stacked() && !h.early {
		lines = append(lines, "etcd endpoint health --cluster || echo 'etcd is not healthy yet'")
		see = "check what is healthy now: etcd did not answer when this was made, and may answer only after its last member"
	}
	lines = append(lines, h.completeScript(strictAPI, strictEtcd))
	return h.command("check the cluster", script(lines...), see, "a line that begins with STOP: do not touch another control plane", "")
}

// archivePath is where the node's files are kept before the work. It is the same for every try of one runbook, so that a
// second try does not replace what stood there before the first.
func (h commandWriter) archivePath() string {
	verb := strings.TrimPrefix(h.step.Operation, "certificates.")
	return handDirectory + "/before-" + verb + "-" + h.in.World.ObservedAt.UTC().Format("20060102T150405Z") + ".tar.gz"
}

// archive keeps what stands on the node: /etc/kubernetes, copies of kubeconfigs and other directories.
func (h commandWriter) archive(copies []string, directories ...string) providers.Command {
	members := []string{"etc/kubernetes"}
	for _, path := range slices.Concat(directories, copies) {
		members = append(members, providers.ShellWord(strings.TrimPrefix(path, "/")))
	}
	return h.command("save the current files", script(
		"umask 077",
		"mkdir -p "+handDirectory,
		"archive="+providers.ShellWord(h.archivePath()),
		`if [ -e "$archive" ]; then`,
		`  echo "kept from an earlier try:"`,
		"else",
		`  tar -C / -czf "$archive.part" `+strings.Join(members, " "),
		`  tar -tzf "$archive.part" >/dev/null`,
		`  sync`,
		`  mv "$archive.part" "$archive"`,
		"fi",
		`chmod 0600 "$archive"`,
		`ls -l "$archive"`,
	), "one file of mode -rw-------; it holds private keys", "any error: without it there is no way back", "")
}

// putBack undoes everything that was changed since the archive. Manifests are left: they are as they were, and the kubelet
// watches them.
func (h commandWriter) putBack() string {
	return "tar -C / --exclude=etc/kubernetes/manifests -xpzf " + providers.ShellWord(h.archivePath())
}

// configuration writes the file that kubeadm is given. Without it kubeadm asks the API, and falls back to its defaults where
// that does not answer; without the InitConfiguration it wants a default route.
func (h commandWriter) configuration(cluster string) providers.Command {
	lines := []string{
		stopFunction, "umask 077", "mkdir -p " + handDirectory, "cd " + handDirectory,
		"cat >cluster.yaml " + heredoc(cluster),
	}
	if h.asksAPI() {
		lines = append(lines, h.apiFunction(),
			`[ "$(api -n kube-system get configmap kubeadm-config -o jsonpath='{.data.ClusterConfiguration}')" = "$(cat cluster.yaml)" ] ||`,
			`  stop "the cluster's kubeadm configuration is not what it was when the runbook was made"`)
	}
	lines = append(lines,
		"{ cat cluster.yaml; cat "+heredoc("---\n"+h.initConfiguration(cluster)),
		"} >kubeadm.yaml",
		`[ "$(grep -c '^kind: ' kubeadm.yaml)" -eq 2 ] || stop "kubeadm.yaml is not a ClusterConfiguration and an InitConfiguration"`,
		"ls -l "+handDirectory+"/kubeadm.yaml",
	)
	return h.command("write the cluster's own kubeadm configuration", script(lines...), "the file",
		"a line that begins with STOP: make a new runbook; kubeadm with another configuration makes other keys that live for another time", "")
}

// initConfiguration says what this node is, as the helper does.
func (h commandWriter) initConfiguration(cluster string) string {
	var head struct {
		APIVersion string `json:"apiVersion"`
	}
	if strict.YAML([]byte(cluster), &head) != nil || head.APIVersion == "" {
		head.APIVersion = "kubeadm.k8s.io/v1beta4"
	}
	address, port := "127.0.0.1", "6443"
	if p := staticPod(&h.node.ControlPlane, apiServer); p != nil {
		if a := p.Flags["advertise-address"]; a != "" {
			address = a
		}
		if s := p.Flags["secure-port"]; s != "" && strings.Trim(s, "0123456789") == "" {
			port = s
		}
	}
	return fmt.Sprintf(`apiVersion: %q
kind: InitConfiguration
localAPIEndpoint:
  advertiseAddress: %q
  bindPort: %s
nodeRegistration:
  name: %q
  criSocket: unix:///run/containerd/containerd.sock
`, head.APIVersion, address, port, strings.ToLower(h.step.Node))
}

// lifeBounds are the seconds between which the life left of a certificate lies that was issued by a policy a short while ago.
func lifeBounds(p policy) (least, most int64) {
	tolerance := p.validity / 10
	return int64((p.validity - tolerance) / time.Second), int64((p.validity + tolerance) / time.Second)
}
