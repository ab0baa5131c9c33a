package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const compared = `
cluster {
  kubeconfig = "kubeconfig"
}
connection "bastion" {
  ssh_config  = "ssh_config"
  known_hosts = "/etc/ssh/known_hosts"
}
node "cp1" {
  host       = "10.0.0.1"
  connection = connection.bastion
}
nodes "gpu" {
  from_kubernetes {
    selector = "gpu=true"
  }
}
out "gpu7" {
  reason = "RMA"
  owner  = "ops"
  until  = "2027-01-31"
}
certs "main" {
  renew_before = "30d"
  nodes        = node.cp1
}
certs "other" {
  renew_before = "30d"
  nodes        = node.cp1
}
`

// written writes a configuration file into a directory of its own and reads it.
func written(t *testing.T, text string) (Desired, string) {
	t.Helper()
	directory := t.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "fleet.upkeep.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	desired, _, diags := Load(directory, Options{Types: testTypes(), Environ: testEnviron})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return desired, directory
}

// Whatever an operator can change is named, and what says the same in another place is no change.
func TestDifferences(t *testing.T) {
	planned, plannedIn := written(t, compared)
	for name, test := range map[string]struct {
		old, new string
		want     []string
	}{
		"the same, elsewhere": {"", "", nil},
		"lines further down":  {"\ncluster {", "\n\n# a comment\n\ncluster {", nil},
		"a path elsewhere":    {`ssh_config  = "ssh_config"`, `ssh_config  = "/tmp/ssh_config"`, []string{"connection.bastion.ssh_config"}},
		"the kubeconfig":      {`"kubeconfig"`, `"other"`, []string{"cluster.kubeconfig"}},
		"no cluster":          {"cluster {\n  kubeconfig = \"kubeconfig\"\n}\n", "", []string{"cluster"}},
		"a host":              {"10.0.0.1", "10.0.0.9", []string{"node.cp1.host"}},
		"a node more":         {"nodes \"gpu\"", "node \"cp2\" {\n  host = \"10.0.0.2\"\n}\nnodes \"gpu\"", []string{"node.cp2"}},
		"a selector":          {"gpu=true", "gpu=false", []string{"nodes.gpu.selector"}},
		"a user":              {`known_hosts = `, "user = \"root\"\n  known_hosts = ", []string{"connection.bastion.user"}},
		"the state":           {"\ncluster {", "\nstate \"local\" {\n  path = \"/tmp/other\"\n}\ncluster {", []string{"state.local.path"}},
		"a node that is out":  {`reason = "RMA"`, `reason = "dead"`, []string{"out.gpu7.reason"}},
		"an argument": {`certs "main" {
  renew_before = "30d"`, `certs "main" {
  renew_before = "31d"`, []string{"certs.main.renew_before"}},
		"a resource less": {`certs "other"`, `certs "another"`, []string{"certs.another", "certs.other"}},
	} {
		t.Run(name, func(t *testing.T) {
			if test.old != "" && !strings.Contains(compared, test.old) {
				t.Fatalf("the configuration has no %q", test.old)
			}
			here, hereIn := written(t, strings.Replace(compared, test.old, test.new, 1))
			got, err := Differences(planned, plannedIn, here, hereIn)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("differences (-want +got):\n%s", diff)
			}
			// As a plan file has it, and the other way round.
			if got, err = Differences(here, hereIn, roundTrip(t, planned), plannedIn); err != nil || !cmp.Equal(test.want, got) {
				t.Errorf("the other way round: %v, %v", got, err)
			}
		})
	}
}

// What `upkeep node out` has said is the state's, and no part of a configuration.
func TestOutsOfTheStateAreNoDifference(t *testing.T) {
	planned, directory := written(t, compared)
	here := planned
	here.Outs = append(here.Outs[:1:1], Out{Node: "cp1", Reason: "dead", Owner: "ops"})
	if got, err := Differences(planned, directory, here, directory); err != nil || len(got) > 0 {
		t.Errorf("%v, %v", got, err)
	}
}

// A field of Desired that Differences does not compare would be a way in: each one is emptied, and must be missed.
func TestDifferencesKnowEveryField(t *testing.T) {
	planned, directory := written(t, compared)
	planned.RequiredVersion = ">= 0.1"
	planned.Ignores = []Ignore{{Name: "rma", Finding: "A", Position: Position{File: "a", Line: 1}}}
	for i := range reflect.TypeFor[Desired]().NumField() {
		changed := planned
		field := reflect.ValueOf(&changed).Elem().Field(i)
		name := reflect.TypeFor[Desired]().Field(i).Name
		if field.IsZero() {
			t.Errorf("%s is not set here, so nothing is known of it", name)
		}
		field.SetZero()
		if got, err := Differences(planned, directory, changed, directory); err != nil || len(got) == 0 {
			t.Errorf("%s can change, and nobody says so: %v", name, err)
		}
	}
}
