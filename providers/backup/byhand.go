package backup

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"upkeep/config"
	"upkeep/providers"
)

// handDirectory is where a person's backup lies on a node until it is fetched. It holds private keys, as root's alone.
const handDirectory = "/root/upkeep-by-hand"

const stopFunction = `stop() { echo "STOP: $*" >&2; exit 1; }`

// etcdFunction asks the node's own etcd member: by the etcdctl of the node, else by that of the pod. The paths are those of
// kubeadm; a kubespray host has its own in /etc/etcd.env.
const etcdFunction = `etcd() {
  if [ -r /etc/etcd.env ]; then
    ca=$(sed -n 's/^ETCDCTL_CACERT=//p' /etc/etcd.env) cert=$(sed -n 's/^ETCDCTL_CERT=//p' /etc/etcd.env) key=$(sed -n 's/^ETCDCTL_KEY=//p' /etc/etcd.env)
  else
    pki=/etc/kubernetes/pki/etcd
    ca=$pki/ca.crt cert=$pki/healthcheck-client.crt key=$pki/healthcheck-client.key
  fi
  set -- --endpoints=https://127.0.0.1:2379 --cacert="$ca" --cert="$cert" --key="$key" "$@"
  if command -v etcdctl >/dev/null; then
    ETCDCTL_API=3 etcdctl "$@"
  else
    id=$(crictl ps --name '^etcd$' -q | head -n 1)
    [ -n "$id" ] || stop "no container of etcd runs here, and there is no etcdctl"
    crictl exec "$id" etcdctl "$@"
  fi
}`

// ByHand saves a snapshot with etcdctl, checks the sum that etcd sent with it, and encrypts it and the files of each node
// for the same recipients. upkeep does not count such a backup: no state remembers it.
func (taking) ByHand(in providers.Input, step providers.Step) []providers.Command {
	args, err := providers.ArgsOf[takeArgs](step)
	if err != nil {
		return nil
	}
	nodes, _ := in.Inventory.Select(args.Nodes)
	from := ""
	origin, _, err := source(in.World)
	if err == nil {
		from = origin.node
	} else if len(nodes) > 0 {
		from = nodes[0].Name // no member looked healthy when this was written; whoever runs it sees how it is now
	}
	var out []providers.Command
	switch {
	case strings.Contains(from, "://") && len(nodes) > 0:
		out = append(out, elsewhereByHand(nodes[0].Name, from))
	case from != "" && origin.sqlite():
		out = append(out, databaseByHand(from))
	case from != "":
		out = append(out, snapshotByHand(from))
	}
	for _, n := range nodes {
		out = append(out, filesByHand(n.Name, args.Include))
	}
	out = append(out, fetchByHand(nodes, args.EncryptTo))
	for _, n := range nodes {
		out = append(out, providers.Command{
			What: "remove the copies from " + n.Name, Node: n.Name, Run: "rm -rf " + handDirectory + " /var/lib/etcd/upkeep-by-hand.db",
			See: "nothing", Stop: "an error: private keys would be left behind",
		})
	}
	return out
}

func snapshotByHand(node string) providers.Command {
	return providers.Command{
		What: "save a snapshot of etcd and check it", Node: node,
		Run: strings.Join([]string{
			stopFunction, etcdFunction,
			"umask 077; mkdir -p " + handDirectory,
			"etcd endpoint health || stop 'the member of this node is not healthy: use another control plane'",
			"etcd alarm list",
			// In the member's own directory, since the pod sees no other; it must not stay there.
			"file=/var/lib/etcd/upkeep-by-hand.db",
			`rm -f "$file"`,
			`etcd snapshot save "$file"`,
			"mv \"$file\" " + handDirectory + "/snapshot.db",
			"cd " + handDirectory,
			`want=$(tail -c 32 snapshot.db | od -An -v -tx1 | tr -d ' \n')`,
			`have=$(head -c -32 snapshot.db | sha256sum | cut -d' ' -f1)`,
			`[ "$want" = "$have" ] || stop "the snapshot is damaged: its SHA-256 is $have, etcd sent $want"`,
			`[ $(($(wc -c <snapshot.db) % 512)) -eq 32 ] || stop "the snapshot is cut short"`,
			`sha256sum snapshot.db`,
		}, "\n"),
		See:  "the member is healthy, no alarm, and at the end a SHA-256 and the name of the file",
		Stop: "a line that begins with STOP, or an alarm CORRUPT",
		Undo: "rm -rf " + handDirectory + " /var/lib/etcd/upkeep-by-hand.db",
	}
}

// elsewhereByHand saves a snapshot of an etcd that runs on none of the nodes, through one of them.
func elsewhereByHand(node, endpoint string) providers.Command {
	c := snapshotByHand(node)
	c.What = "save a snapshot of etcd at " + endpoint + " and check it"
	const flags = `sed -n 's/.*--etcd-%sfile=//p' /etc/kubernetes/manifests/kube-apiserver.yaml`
	c.Run = strings.NewReplacer(
		etcdFunction, strings.Join([]string{
			"etcd() {",
			"  ca=$(" + fmt.Sprintf(flags, "ca") + ") cert=$(" + fmt.Sprintf(flags, "cert") + ") key=$(" + fmt.Sprintf(flags, "key") + ")",
			`  [ -n "$ca" ] || stop "the API server's manifest does not say what etcd is spoken to with: use the files that the configuration names"`,
			"  ETCDCTL_API=3 etcdctl --endpoints=" + providers.ShellWord(endpoint) + ` --cacert="$ca" --cert="$cert" --key="$key" "$@"`,
			"}",
		}, "\n"),
		"/var/lib/etcd/upkeep-by-hand.db", handDirectory+"/snapshot.part").Replace(c.Run)
	return c
}

func filesByHand(node string, include []string) providers.Command {
	var words []string
	for _, p := range include {
		words = append(words, providers.ShellWord(strings.TrimPrefix(p, "/")))
	}
	return providers.Command{
		What: "pack the keys and the configuration of " + node, Node: node,
		Run: strings.Join([]string{
			stopFunction,
			"umask 077; mkdir -p " + handDirectory + "; cd /",
			"set --; for p in " + strings.Join(words, " ") + `; do if [ -e "$p" ]; then set -- "$@" "$p"; fi; done`,
			`[ $# -gt 0 ] || stop "none of the paths is there"`,
			"tar --numeric-owner -cf " + handDirectory + `/files.tar -- "$@"`,
			"tar -tf " + handDirectory + "/files.tar | wc -l",
		}, "\n"),
		See: "how many files there are: some dozens", Stop: "a line that begins with STOP", Undo: "rm -rf " + handDirectory,
	}
}

// fetchByHand brings everything to the machine of the operator, encrypted on its way to the disk.
func fetchByHand(nodes []config.Node, to []string) providers.Command {
	seal, ending := "cat", "tar"
	if len(to) > 0 {
		seal, ending = "age", "tar.age"
		for _, recipient := range to {
			seal += " -r " + providers.ShellWord(recipient)
		}
	}
	lines := []string{
		stopFunction,
		`umask 077; dir=upkeep-by-hand-$(date -u +%Y%m%dT%H%M%SZ); mkdir "$dir"; cd "$dir"`,
		// Before the pipe, since a shell does not see that its beginning failed.
		`fetch() { ssh -o BatchMode=yes "$2" sudo -n test -r ` + handDirectory + ` || stop "no backup on $1"; ssh -o BatchMode=yes "$2" sudo -n tar -C ` + handDirectory + ` -c . | ` + seal + ` >"$1.` + ending + `"; [ -s "$1.` + ending + `" ] || stop "nothing came from $1"; }`,
	}
	for _, n := range nodes {
		lines = append(lines, "fetch "+providers.ShellWord(n.Name)+" "+providers.ShellWord(n.Host))
	}
	lines = append(lines, "sha256sum * >SHA256SUMS", "sha256sum -c SHA256SUMS", `pwd`)
	return providers.Command{
		What: "fetch and encrypt all of it, where upkeep runs", Run: strings.Join(lines, "\n"),
		See:  "OK for each node. Copy the directory where backups are kept, and write its SHA-256s down elsewhere; upkeep does not count it as a proved bundle",
		Stop: "a line that begins with STOP, or a node without OK",
	}
}

// ByHand checks the SHA-256 of the stored bundle, and where it can be opened every part of it.
func (proving) ByHand(in providers.Input, step providers.Step) []providers.Command {
	args, s, err := proving{}.read(in, step)
	if err != nil {
		return nil
	}
	h, _ := s.find(args.Bundle)
	file := providers.ShellWord(h.ID + ".upkeep-bundle")
	open := "cat " + file
	if h.Encrypted {
		open = "age -d -i identity.txt " + file
	}
	return []providers.Command{{
		What: "check bundle " + h.ID + ", in a directory with it and, where it is encrypted, with your age identity (identity.txt)",
		Run: strings.Join([]string{
			stopFunction,
			"umask 077; work=$(mktemp -d); trap 'rm -rf \"$work\"' EXIT",
			"[ \"$(sha256sum " + file + " | cut -d' ' -f1)\" = " + providers.ShellWord(h.SHA256) + " ] || stop 'it is not the bundle that was stored'",
			open + ` | tar -x -C "$work"`,
			`cd "$work" && sha256sum -c manifest.json.sha256`,
			originOf(in.World).checkByHand(),
		}, "\n"),
		See: "manifest.json: OK; where " + originOf(in.World).checker() + " is there, what it says of the content", Stop: "a line that begins with STOP",
	}}
}

// ByHand says what would be removed. Nothing breaks when nobody does it: disks fill slowly.
func (pruning) ByHand(in providers.Input, step providers.Step) []providers.Command {
	args, s, err := pruning{}.read(in, step)
	if err != nil {
		return nil
	}
	var names []string
	for _, id := range args.Remove {
		names = append(names, id+".upkeep-bundle.json", id+".upkeep-bundle")
	}
	names = append(names, args.Leftovers...)
	kind, place, _ := strings.Cut(s.store, " ")
	c := providers.Command{
		What: "remove what the policy does not keep from the store " + s.store + "; this can wait until upkeep runs again",
		See:  "nothing", Stop: "an error",
	}
	switch kind {
	case StoreS3:
		bucket, _, _ := strings.Cut(place, " at ")
		for i, name := range names {
			names[i] = "aws s3 rm " + providers.ShellWord("s3://"+path.Join(bucket, name))
		}
		c.Run = strings.Join(names, "\n")
	case StoreNode:
		node, directory, _ := strings.Cut(place, " ")
		c.Node, c.Run = node, removal(directory, names)
	default:
		c.Run = removal(place, names)
	}
	if !slices.Contains([]string{StoreFile, StoreNode, StoreS3}, kind) {
		return nil
	}
	return []providers.Command{c}
}

func removal(directory string, names []string) string {
	lines := []string{fmt.Sprintf("cd %s", providers.ShellWord(directory))}
	for _, name := range names {
		lines = append(lines, "rm -f -- "+providers.ShellWord(name))
	}
	return strings.Join(lines, "\n")
}
