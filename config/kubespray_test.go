package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const kubesprayHosts = `all:
  hosts:
    node1:
      ansible_host: 10.0.0.11
      ip: 192.168.0.11
      access_ip: 192.168.0.11
      ansible_become_password: hunter2
    node2:
      ip: 10.0.0.12
    node3:
    gpu1:
      ansible_host: gpu1.example.net
  children:
    kube_control_plane:
      hosts:
        node1:
        node2:
    kube_node:
      hosts:
        node3:
        gpu1:
    etcd:
      children:
        kube_control_plane:
    k8s_cluster:
      children:
        kube_control_plane:
        kube_node:
    calico_rr:
      hosts: {}
`

func TestFromKubespray(t *testing.T) {
	directory := directoryWith(t, map[string]string{
		"a" + Suffix: "nodes \"cp\" {\n  from_kubespray = \"../hosts.yaml\"\n  roles = [\"akash\"]\n}\nlocals {\n  inventory = yamldecode(file(\"../hosts.yaml\"))\n}\n" +
			"node \"extra\" {\n  host = local.inventory.all.hosts.node1.ip\n}\n",
		"../hosts.yaml": kubesprayHosts,
	})
	desired, _, diags := Load(directory, Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	got := map[string]string{}
	for _, n := range desired.Nodes {
		got[n.Name] = fmt.Sprint(n.Host, " ", n.Roles, " ", n.Block, " ", n.Fleet)
	}
	want := map[string]string{
		"node1": "10.0.0.11 [control-plane etcd akash] cp true", "node2": "10.0.0.12 [control-plane etcd akash] cp true",
		"node3": "node3 [worker akash] cp true", "gpu1": "gpu1.example.net [worker akash] cp true", "extra": "192.168.0.11 [] extra false",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if !(Selection{Fleets: []string{"cp"}}).Has(desired.Nodes[0]) {
		t.Error("nodes.cp does not hold its own nodes")
	}
}

// Each mistake is reported at the attribute, and names the line of the inventory.
func TestFromKubesprayMistakes(t *testing.T) {
	for name, test := range map[string]struct{ inventory, more, want string }{
		"no file":             {"", "", "There is no file "},
		"no YAML":             {"all: [", "", "the YAML cannot be parsed"},
		"a host twice":        {"all:\n  hosts:\n    node1:\n      ip: 10.0.0.1\n    node1:\n      ip: 10.0.0.2\n", "", "/hosts.yaml:5: \"node1\" stands twice in one place"},
		"an address twice":    {"all:\n  hosts:\n    node1:\n      ip: 10.0.0.1\n      ip: 10.0.0.2\n", "", "/hosts.yaml:5: \"ip\" stands twice in one place"},
		"a list":              {"- a\n", "", "the file is no inventory: it has no groups"},
		"no host":             {"all:\n  hosts: {}\n", "", "the inventory names no host"},
		"a range":             {"all:\n  hosts:\n    node[1:3]:\n", "", "/hosts.yaml:3: \"node[1:3]\" is not the name of a host"},
		"an option for ssh":   {"all:\n  hosts:\n    node1:\n      ansible_host: -oProxyCommand=x\n", "", "/hosts.yaml:4: ansible_host of node1"},
		"groups in groups":    {nested(20), "", "nested more than 16 deep"},
		"too many hosts":      {"all:\n  hosts:\n" + many(5001), "", "more than 5000 hosts"},
		"a selector as well":  {kubesprayHosts, "selector = \"a=b\"", "from_kubespray names them already"},
		"the name of another": {kubesprayHosts, "}\nnode \"node1\" {\n  host = \"10.9.9.9\"", "already declared"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"a" + Suffix: "nodes \"cp\" {\n  from_kubespray = \"../hosts.yaml\"\n  " + test.more + "\n}\n"}
			if test.inventory != "" {
				files["../hosts.yaml"] = test.inventory
			}
			_, _, diags := Load(directoryWith(t, files), Options{})
			if !diags.HasErrors() || !strings.Contains(diags.Error(), test.want) {
				t.Errorf("got %v, want %q", diags, test.want)
			}
		})
	}
}

// A configuration of somebody else reads no inventory out of its directory.
func TestFromKubesprayUntrusted(t *testing.T) {
	files := map[string]string{"a" + Suffix: "nodes \"cp\" {\n  from_kubespray = \"../hosts.yaml\"\n}\n", "../hosts.yaml": kubesprayHosts}
	if desired, _, diags := Load(directoryWith(t, files), Options{Trust: Untrusted}); !diags.HasErrors() || len(desired.Nodes) > 0 {
		t.Errorf("%v, %v", desired.Nodes, diags)
	}
}

func nested(depth int) string {
	var b strings.Builder
	for i := range depth {
		fmt.Fprintf(&b, "%sg%d:\n%schildren:\n", strings.Repeat("  ", 2*i), i, strings.Repeat("  ", 2*i+1))
	}
	fmt.Fprintf(&b, "%sg: {}\n", strings.Repeat("  ", 2*depth))
	return b.String()
}

func many(hosts int) string {
	var b strings.Builder
	for i := range hosts {
		fmt.Fprintf(&b, "    h%d:\n", i)
	}
	return b.String()
}

func FuzzInventory(f *testing.F) {
	f.Add([]byte(kubesprayHosts))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("all: {hosts: {a: {ip: 1.2.3.4}}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		hosts, err := parseInventory(text)
		for _, h := range hosts {
			if err != nil || !nodeNamePattern.MatchString(h.Name) || h.Address != "" && !ValidHost(h.Address) {
				t.Errorf("%+v, %v", h, err)
			}
		}
	})
}
