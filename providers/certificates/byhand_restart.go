package certificates

import (
	"path"

	"upkeep/providers"
)

// ByHand moves the manifest away and back. Deleting the mirror pod restarts nothing: the kubelet only writes the mirror again
// (seen on v1.35.4). Whether the container is gone is told by its process, since crictl is not on every node.
func (restarting) ByHand(in providers.Input, step providers.Step) []providers.Command {
	args, err := providers.ArgsOf[restartArgs](step)
	if err != nil {
		return nil
	}
	h := byHand(in, step).during(args.Nodes, args.Outage, restarting{}.Predict(in, step))
	out := []providers.Command{h.lookFirst()}
	for _, component := range args.Components {
		out = append(out, h.restart(component))
		if kubeconfigOf(component) != "" && !h.early {
			out = append(out, h.proveLease(component))
		}
		if c := h.proveServed(servedBy(h, component)); c.Run != "" && !h.early {
			out = append(out, c)
		}
	}
	return append(out, h.lookLast())
}

func servedBy(h commandWriter, component string) (names []string) {
	for _, s := range h.node.Certificates.Served {
		if s.Component == component {
			names = append(names, s.Name)
		}
	}
	return names
}

// restart ends a static pod and lets the kubelet start it again. The API server took 47 s to stop on a real cluster.
func (h commandWriter) restart(component string) providers.Command {
	manifest := "/etc/kubernetes/manifests/" + component + ".yaml"
	if p := staticPod(&h.node.ControlPlane, component); p != nil && p.Manifest != "" {
		manifest = p.Manifest
	}
	// On the same file system as the manifest, so that each move is a rename, and outside the directory that the kubelet reads.
	away := path.Join("/etc/kubernetes", path.Base(manifest)+".away")
	return h.command("restart "+component, script(
		stopFunction,
		"manifest="+providers.ShellWord(manifest)+" away="+providers.ShellWord(away),
		`running() { ps -e -o pid= -o args= | awk -v name=`+providers.ShellWord(component)+` '{ n = split($2, word, "/") } word[n] == name && /\/etc\/kubernetes\// { print $1 }'; }`,
		`[ -f "$manifest" ] || stop "$manifest is not there"`,
		`[ ! -e "$away" ] || stop "$away is there: an earlier try was interrupted"`,
		`echo "before: $(running)"`,
		`trap '[ -e "$manifest" ] || mv "$away" "$manifest"' EXIT`,
		`trap 'exit 1' HUP INT TERM PIPE`,
		`mv "$manifest" "$away"`,
		`n=0`,
		`while [ -n "$(running)" ]; do`,
		`  n=$((n+1)); [ $n -lt 180 ] || stop "it did not end in three minutes; see: journalctl -u kubelet"; sleep 1`,
		`done`,
		`echo "it has ended"`,
		`mv "$away" "$manifest"`,
		`n=0`,
		`while [ -z "$(running)" ]; do`,
		`  n=$((n+1)); [ $n -lt 180 ] || stop "it did not start in three minutes; see: journalctl -u kubelet"; sleep 1`,
		`done`,
		`sleep 5`,
		`new=$(running)`,
		h.after(),
	), "another process id after than before, running for a few seconds", "a line that begins with STOP",
		script("manifest="+providers.ShellWord(manifest)+" away="+providers.ShellWord(away), `[ -e "$manifest" ] || mv "$away" "$manifest"`, `ls -l "$manifest"`))
}

// after says what runs after a restart. While the API is down, what needs the API ends again and again.
func (h commandWriter) after() string {
	if h.early {
		return `echo "after: ${new:-none: it ended again, and the kubelet starts it again}"`
	}
	return script(
		`[ -n "$new" ] || stop "it started and ended again; see: journalctl -u kubelet"`,
		`echo "after: $new, running for $(ps -o etime= -p $new)"`,
	)
}

// proveLease waits until the lease of a component is renewed again: the one who holds it lives.
func (h commandWriter) proveLease(component string) providers.Command {
	return h.command("prove that somebody leads "+component, script(
		stopFunction, h.apiFunction(),
		"lease() { api -n kube-system get lease "+providers.ShellWord(component)+` -o jsonpath='{.spec.holderIdentity} {.spec.renewTime}'; }`,
		`before=$(lease) n=0`,
		`until [ -n "$before" ] && after=$(lease) && [ "$after" != "$before" ]; do`,
		`  n=$((n+1)); [ $n -lt 60 ] || stop "nobody has renewed the lease for a minute: $before"; sleep 1`,
		`  [ -n "$before" ] || before=$(lease) || before=`,
		`done`,
		`echo "$after"`,
	), "a holder, and a time of just now", "a line that begins with STOP: nobody leads", "")
}
