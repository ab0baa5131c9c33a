package acceptance

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// nodeStanding is how one certificate of a node stands, or one component, and what lies about there.
type nodeStanding struct {
	serial    string
	whole     bool   // the certificate belongs to its key
	intended  string // the serial that an unfinished renewal is about to install
	container string // of a component
	archives  int
	history   []historyEntry
	left      string // what no change may leave behind: staging trees, intents, marks, half-written files, processes, units
	others    string // a digest of all other files of the control plane
}

type historyEntry struct {
	Method  string `json:"method"`
	Step    string `json:"step"`
	Outcome string `json:"outcome"`
}

// certificateFiles are a certificate and its key; one file where that is a kubeconfig.
func certificateFiles(name string) (certificate, key string) {
	switch {
	case strings.HasSuffix(name, ".conf"):
		return "/etc/kubernetes/" + name, ""
	case readsOnlyOnce(name):
		return "/etc/kubernetes/" + strings.TrimPrefix(name, "kube-") + ".conf", ""
	case strings.HasPrefix(name, "etcd-"):
		stem := "/etc/kubernetes/pki/etcd/" + strings.TrimPrefix(name, "etcd-")
		return stem + ".crt", stem + ".key"
	}
	return "/etc/kubernetes/pki/" + name + ".crt", "/etc/kubernetes/pki/" + name + ".key"
}

// standing looks at a node by plain means, not by upkeep's.
func (s *suite) standing(t *testing.T, node, name string) nodeStanding {
	t.Helper()
	certificate, key := certificateFiles(name)
	readCertificate, readKey := "cat "+certificate, "cat "+key
	if key == "" {
		readCertificate = "sed -n 's/.*client-certificate-data: //p' " + certificate + " | base64 -d"
		readKey = "sed -n 's/.*client-key-data: //p' " + certificate + " | base64 -d"
	}
	text := s.ssh(t, node, fmt.Sprintf(`cd /var/lib/upkeep 2>/dev/null || { mkdir -p /tmp/empty; cd /tmp/empty; }
echo serial $(%[1]s | openssl x509 -noout -serial | cut -d= -f2)
if [ "$(%[1]s | openssl x509 -noout -pubkey)" = "$(%[2]s | openssl pkey -pubout)" ]; then echo whole; fi
for f in intents/*/intent.json; do if [ -e $f ]; then echo intended $(sed -n 's/.*"serial": "\(.*\)".*/\1/p' $f); fi; done
echo archives $(ls archive 2>/dev/null | wc -l)
sed -n 's/^{/history {/p' journal.jsonl 2>/dev/null
for d in stage intents marks; do if [ -d $d ]; then find $d -mindepth 1 -maxdepth 1 -printf 'left %%p\n'; fi; done
find /etc/kubernetes -name '.*' -printf 'left %%p\n'
systemctl list-units --all --no-legend --plain 'upkeep-*' | sed 's/^/left unit /'
pgrep -a -f 'upkeep-node-[0-9a-f]{64} ' | sed 's/^/left process /'
echo others $(find /etc/kubernetes -type f ! -path %[3]s ! -path '%[4]s' -exec sha256sum {} + | sort | sha256sum)
`, readCertificate, readKey, certificate, key))
	var n nodeStanding
	var left []string
	for line := range strings.Lines(text) {
		what, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch what {
		case "serial":
			n.serial = value
		case "whole":
			n.whole = true
		case "intended":
			n.intended = value
		case "archives":
			n.archives, _ = strconv.Atoi(value)
		case "history":
			var e historyEntry
			if err := json.Unmarshal([]byte(value), &e); err != nil {
				t.Errorf("the journal of %s: %v", node, err)
			}
			n.history = append(n.history, e)
		case "left":
			left = append(left, value)
		case "others":
			n.others = value
		}
	}
	if n.serial == "" || n.others == "" {
		t.Fatalf("looking at %s on %s: %q", name, node, text)
	}
	n.left = strings.Join(left, "; ")
	if readsOnlyOnce(name) {
		for _, c := range s.containers(t, node) {
			if c.component == name {
				n.container = c.id
			}
		}
	}
	return n
}

// makeOneDue has kubeadm make one certificate anew that ends in half an hour. A component gets a new kubeconfig that lives as long
// as all the others, so that it has to be restarted and nothing renewed.
func (s *suite) makeOneDue(t *testing.T, node, name string) {
	t.Helper()
	change := "s/^certificateValidityPeriod:.*/certificateValidityPeriod: 30m0s/"
	if readsOnlyOnce(name) {
		name, change = strings.TrimPrefix(name, "kube-")+".conf", ""
	}
	s.ssh(t, node, fmt.Sprintf(`set -e; umask 077; f=$(mktemp); trap 'rm -f "$f"' EXIT
kubectl --kubeconfig /etc/kubernetes/admin.conf -n kube-system get configmap kubeadm-config -o 'jsonpath={.data.ClusterConfiguration}' | sed '%s' > "$f"
kubeadm certs renew %s --config "$f" >/dev/null 2>&1`, change, name))
}
