package apply_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"upkeep/fixtures/worlds"
	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/state"
)

// elsewhere moves hosts to another cluster: their authorities are others, and nothing else tells.
func (p *planes) elsewhere(names ...string) {
	p.world = worlds.Clone(p.world)
	for _, name := range names {
		worlds.File(p.world.Nodes[name], "ca").Blocks[0].SHA256 = strings.Repeat("e", 64)
	}
}

// reissued is a cluster whose CA was issued again with its old key: hosts and kubeconfig have another certificate.
func (p *planes) reissued(nodes, kubeconfig string) {
	p.world = worlds.Clone(p.world)
	for _, n := range p.world.Nodes {
		ca := &worlds.File(n, "ca").Blocks[0]
		ca.SHA256, ca.KeyID = strings.Repeat(nodes, 64), "key"
	}
	k := &p.world.Kubernetes
	k.Authority, k.AuthorityKey = strings.Repeat(kubeconfig, 64), "key"
	k.Kubeconfig.Authorities, k.Kubeconfig.AuthorityKeys = []string{k.Authority}, []string{"key"}
}

func wrongFindings(p planner.Plan) (at []string) {
	for _, f := range append(slices.Clone(p.Findings), p.LeftOut...) {
		if f.ID == planner.WrongCluster {
			at = append(at, f.Address.String()+" "+f.Object)
		}
	}
	return at
}

// Rule 15: CA per node, kube-system uid and etcd cluster id agree with each other and with the state, or nothing is
// done.
func TestTheWrongClusterRefusesThePlan(t *testing.T) {
	own := planner.Request{World: newPlanes(3).world}.Identity()
	for name, test := range map[string]struct {
		change  func(*planes)
		request func(*planner.Request)
		finding []string
		refused string
	}{
		"the right one":                      {func(*planes) {}, nil, nil, ""},
		"the right one, as the state has it": {func(*planes) {}, func(r *planner.Request) { r.Memory.Cluster = own }, nil, ""},
		"the hosts are of another cluster":   {func(p *planes) { p.elsewhere("cp1", "cp2", "cp3") }, nil, []string{"cluster.identity@cp1 ca", "cluster.identity@cp2 ca", "cluster.identity@cp3 ca"}, "cp1 is not of the cluster of the kubeconfig"},
		"one host is of another cluster":     {func(p *planes) { p.elsewhere("cp2") }, nil, []string{"cluster.identity@cp2 ca"}, "cp2 is not of the cluster of the kubeconfig"},
		"one of another cluster is left out": {func(p *planes) { p.elsewhere("cp2") }, func(r *planner.Request) {
			r.Exclude = []providers.Address{{Type: "certificates", Name: "control_plane", Node: "cp2"}}
		}, []string{"cluster.identity@cp2 ca"}, ""},
		"without a kubeconfig, hosts disagree": {func(p *planes) {
			p.elsewhere("cp3")
			p.world.Kubernetes.Authority = ""
			p.world.Kubernetes.Kubeconfig.Authorities = nil
		}, nil, []string{"cluster.identity@cp3 ca"}, "cp3 and cp1 are not of one cluster"},
		"the kubeconfig trusts old and new": {func(p *planes) {
			p.elsewhere("cp3")
			p.world.Kubernetes.Kubeconfig.Authorities = append(p.world.Kubernetes.Kubeconfig.Authorities, strings.Repeat("e", 64))
		}, nil, nil, ""},
		"the hosts' CA was issued again": {func(p *planes) { p.reissued("b", "a") }, nil, nil, ""},
		"a CA that is new on one host, without a kubeconfig": {func(p *planes) {
			p.reissued("b", "a")
			worlds.File(p.world.Nodes["cp2"], "ca").Blocks[0].SHA256 = strings.Repeat("c", 64)
			p.world.Kubernetes.Authority, p.world.Kubernetes.AuthorityKey = "", ""
			p.world.Kubernetes.Kubeconfig.Authorities, p.world.Kubernetes.Kubeconfig.AuthorityKeys = nil, nil
		}, nil, nil, ""},
		"the state has the certificate and the key of before": {func(p *planes) { p.reissued("b", "b") }, func(r *planner.Request) {
			r.Memory.Cluster.Authority, r.Memory.Cluster.AuthorityKey = strings.Repeat("a", 64), "key"
		}, nil, ""},
		"the state has the certificate and no key": {func(p *planes) { p.reissued("b", "b") }, func(r *planner.Request) {
			r.Memory.Cluster.Authority = strings.Repeat("b", 64)
		}, nil, ""},
		"the state has another certificate and another key": {func(p *planes) { p.reissued("b", "b") }, func(r *planner.Request) {
			r.Memory.Cluster.Authority, r.Memory.Cluster.AuthorityKey = strings.Repeat("a", 64), "other"
		}, []string{"cluster.identity state"}, "upkeep state forget-cluster"},
		"a node that is unknown says nothing":   {func(p *planes) { p.down("cp1") }, nil, nil, ""},
		"the state has another kube-system uid": {func(*planes) {}, func(r *planner.Request) { r.Memory.Cluster.KubeSystemUID = "other" }, []string{"cluster.identity state"}, "the uid of namespace kube-system is"},
		"the state has another CA":              {func(*planes) {}, func(r *planner.Request) { r.Memory.Cluster.Authority = "other" }, []string{"cluster.identity state"}, "upkeep state forget-cluster"},
		"the state has another etcd":            {func(*planes) {}, func(r *planner.Request) { r.Memory.Cluster.EtcdClusterID = "other" }, []string{"cluster.identity state"}, "the etcd cluster id is"},
		"what is unknown now is not compared":   {func(p *planes) { p.world.Etcd.ClusterID = "" }, func(r *planner.Request) { r.Memory.Cluster = own }, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlanes(3)
			test.change(p)
			plan := p.plan(t, test.request)
			if got := wrongFindings(plan); !slices.Equal(got, test.finding) {
				t.Errorf("findings %v, want %v", got, test.finding)
			}
			if got := strings.Join(plan.Refusals, "\n"); (got == "") != (test.refused == "") || !strings.Contains(got, test.refused) {
				t.Errorf("refusals %q, want %q", got, test.refused)
			}
			if test.refused == "" {
				return
			}
			var refused *apply.RefusedError
			if _, err := p.run(t, plan, nil); !errors.As(err, &refused) || len(p.acts) > 0 {
				t.Errorf("apply: %v; acts %v", err, p.acts)
			}
		})
	}
}

// A CA that was issued again with its old key between plan and apply makes no other cluster, and nothing in the state is
// replaced by that.
func TestACAIssuedAgainWithItsKeyIsTheSameCluster(t *testing.T) {
	p := newPlanes(1)
	p.reissued("a", "a")
	plan := p.plan(t, nil)
	p.reissued("b", "b")
	result, err := p.run(t, plan, nil)
	if err != nil || result.Outcome != apply.Complete {
		t.Fatalf("%s, %v", result.Outcome, err)
	}
	before := facts.Identity{Authority: strings.Repeat("a", 64), AuthorityKey: "key"}
	if got := apply.Learn(facts.Memory{Cluster: before}, result).Cluster; got.Authority != before.Authority || got.AuthorityKey != "key" {
		t.Errorf("remembered %+v", got)
	}
	// A state of before upkeep knew keys learns the key of the certificate that it has, and of no other.
	result.Cluster = planner.Identity{Authority: "a", AuthorityKey: "key"}
	for remembered, want := range map[string]string{"a": "key", "": "key", "b": ""} {
		memory := apply.Learn(facts.Memory{Cluster: facts.Identity{Authority: remembered}}, result)
		if memory.Cluster.AuthorityKey != want {
			t.Errorf("a state with the CA %q: %+v", remembered, memory.Cluster)
		}
	}
}

// A plan for the right cluster meets a host of another one at apply: that host's steps do not run.
func TestAHostThatBecameAnotherClustersIsNotTouched(t *testing.T) {
	p := newPlanes(3)
	plan := p.plan(t, nil)
	p.elsewhere("cp2")
	result, err := p.run(t, plan, nil)
	if err != nil || result.Outcome != apply.Partial || slices.Contains(p.touched(), "cp2") {
		t.Fatalf("%s, %v; touched %v", result.Outcome, err, p.touched())
	}
	if s := result.Steps[2]; s.Outcome != apply.Refused || !s.Moved || !strings.Contains(s.Why, "cp2 is not of the cluster of the kubeconfig") {
		t.Errorf("%+v", s)
	}
}

// The first apply remembers the cluster; a later one with the same state finds another and begins nothing.
func TestAStateBelongsToItsCluster(t *testing.T) {
	p := newPlanes(1)
	plan := p.plan(t, nil)
	result, err := p.run(t, plan, nil)
	if err != nil {
		t.Fatal(err)
	}
	memory := apply.Learn(facts.Memory{}, result)
	if memory.Cluster != plan.Request.Identity() || memory.Cluster.IsZero() {
		t.Fatalf("remembered %+v, want %+v", memory.Cluster, plan.Request.Identity())
	}
	other := newPlanes(1)
	other.world.Kubernetes.UID = "another"
	plan = other.plan(t, nil) // made before the state knew its cluster
	var refused *apply.RefusedError
	_, err = other.run(t, plan, func(e *apply.Executor) { e.Remembered = memory.Cluster })
	if !errors.As(err, &refused) || refused.Stale || !strings.Contains(err.Error(), "another state path") || len(other.acts) > 0 {
		t.Errorf("%v; acts %v", err, other.acts)
	}
	if kept := apply.Learn(memory, apply.Result{Cluster: planner.Identity{Authority: "new", EtcdClusterID: "new"}}); kept.Cluster != memory.Cluster {
		t.Errorf("what was remembered became %+v", kept.Cluster)
	}
	if unbegun := apply.Learn(facts.Memory{}, apply.Result{}); !unbegun.Cluster.IsZero() {
		t.Errorf("a run that did not start remembers %+v", unbegun.Cluster)
	}
}

// Overrides go to the journal, the history and the memory; the next run without one forgets them there.
func TestOverridesAreRecorded(t *testing.T) {
	p := newPlanes(1)
	plan := p.plan(t, func(r *planner.Request) {
		r.Overrides = []planner.Override{{Rule: "backup", Node: "cp1", Reason: "a lab"}}
	})
	j := &memoryJournal{dies: -1}
	var begun state.RunRecord
	if _, err := p.run(t, plan, func(e *apply.Executor) {
		e.Journal, e.Lineage = j, "l1"
		begun = e.Begun(plan)
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{"backup@cp1=a lab"}
	if got := j.records[0]; !slices.Equal(got.Overrides, want) || got.Lineage != "l1" {
		t.Errorf("journal: %+v", got)
	}
	memory := apply.Overrode(facts.Memory{}, begun)
	if !slices.Equal(begun.Overrides, want) || len(memory.Overrides) != 1 || memory.Overrides[0].Text != want[0] || memory.Overrides[0].Plan != plan.ID {
		t.Errorf("history: %+v; memory: %+v", begun, memory)
	}
	if next := apply.Overrode(memory, state.RunRecord{}); len(next.Overrides) != 0 {
		t.Errorf("the next run still shows %v", next.Overrides)
	}
}
