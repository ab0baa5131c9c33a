package facts_test

import (
	"reflect"
	"testing"

	"upkeep/providers/facts"
)

// Whatever an update can replace, a clone can have replaced without a trace in the world that it was made of: every map
// is the clone's own. The world has an entry in every map, and the update replaces each of them and adds another.
func TestCloneCoversUpdate(t *testing.T) {
	filled := func() facts.World {
		return facts.World{
			Nodes:    map[string]*facts.Node{"old": {Name: "old"}},
			Backups:  map[string]facts.Backups{"old": {Store: "before"}},
			Releases: map[string]*facts.Release{"n/old": {Namespace: "n", Name: "old"}}, Tenancies: &facts.Tenancies{},
			Archives:    map[string]facts.Archive{"n/old": {Unknown: "before"}},
			Definitions: map[string]facts.Definition{"old": {Name: "old"}},
			Public:      map[string]facts.Public{"old": {Unknown: "before"}},
			Drains:      map[string]facts.Drain{"old": {Unknown: "before"}},
		}
	}
	update := facts.Update{
		Nodes:      []facts.Node{{Name: "old", Unknown: "after"}, {Name: "new"}},
		Kubernetes: &facts.Kubernetes{Unknown: "after"}, Etcd: &facts.Etcd{Unknown: "after"},
		Backups:  map[string]facts.Backups{"old": {Store: "after"}, "new": {}},
		Sections: facts.Sections{{Type: "etcd_backup", Name: "a"}: []byte(`{"version":1}`)}, // the memory's
		Releases: []facts.Release{{Namespace: "n", Name: "old", Unknown: "after"}, {Namespace: "n", Name: "new"}}, Tenancies: &facts.Tenancies{Unknown: "after"},
		Archives:    map[string]facts.Archive{"n/old": {Unknown: "after"}, "n/new": {}},
		Definitions: []facts.Definition{{Name: "old", Unknown: "after"}, {Name: "new"}},
		Public:      map[string]facts.Public{"old": {Unknown: "after"}, "new": {}},
		Drains:      map[string]facts.Drain{"old": {Unknown: "after"}, "new": {}},
	}
	for field, value := range reflect.ValueOf(update).Fields() {
		if value.IsZero() {
			t.Errorf("the update of this test leaves %s out: add it here, and its part of the world above", field.Name)
		}
	}
	whole := filled()
	for field, value := range reflect.ValueOf(whole).Fields() {
		if _, replaced := reflect.TypeFor[facts.Update]().FieldByName(field.Name); replaced && value.Kind() == reflect.Map && value.Len() == 0 {
			t.Errorf("the world of this test has nothing in %s", field.Name)
		}
	}
	clone := whole.Clone()
	clone.Apply(update)
	if want := filled(); !reflect.DeepEqual(whole, want) {
		t.Errorf("an update of a clone wrote into the world that it was made of:\n%+v, was\n%+v", whole, want)
	}
	after := reflect.ValueOf(clone)
	for field, value := range reflect.ValueOf(whole).Fields() {
		if _, replaced := reflect.TypeFor[facts.Update]().FieldByName(field.Name); replaced && reflect.DeepEqual(value.Interface(), after.FieldByIndex(field.Index).Interface()) {
			t.Errorf("the update did not reach %s", field.Name)
		}
	}
	// A world without anything takes the same update.
	empty := facts.World{}.Clone()
	empty.Apply(update)
	if !reflect.DeepEqual(len(empty.Nodes)+len(empty.Backups)+len(empty.Releases)+len(empty.Archives)+len(empty.Definitions), 10) {
		t.Errorf("an empty world after the update: %+v", empty)
	}
}

// Facts that were recorded before nodes had Authorities have the CA among their certificates.
func TestClusterAuthorities(t *testing.T) {
	blocks := []facts.Certificate{{SHA256: "old"}, {SHA256: "new", KeyID: "key"}}
	recorded := facts.Certificates{Files: []facts.CertificateFile{{Name: "ca", Blocks: blocks}}}
	missing := facts.Certificates{Files: []facts.CertificateFile{{Name: "ca", Missing: true, Blocks: blocks}}}
	mine := []string{"mine"}
	for name, test := range map[string]struct {
		node facts.Node
		want [2][]string
	}{
		"it says so itself": {
			facts.Node{Authorities: mine, AuthorityKeys: []string{"its"}, Certificates: recorded}, [2][]string{mine, {"its"}},
		},
		"recorded by an older one": {facts.Node{Certificates: recorded}, [2][]string{{"old", "new"}, {"key"}}},
		"without keys":             {facts.Node{Authorities: mine, Certificates: recorded}, [2][]string{mine, nil}},
		"it has none":              {facts.Node{Certificates: missing}, [2][]string{}},
		"nothing is known":         {facts.Node{}, [2][]string{}},
		"the node does not answer": {facts.Node{Unknown: "ssh", Authorities: mine}, [2][]string{}},
	} {
		fingerprints, keys := test.node.ClusterAuthorities()
		if got := [2][]string{fingerprints, keys}; !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
