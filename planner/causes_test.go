package planner_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/fixtures/worlds"
	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/backup"
	"upkeep/providers/backup/keep"
	"upkeep/providers/certificates"
	"upkeep/providers/facts"
)

// What two domains find of one member of etcd for one cause is one finding, of the more specific id, as bad as the
// worse of the two and with what both say to do; what only one of them finds stays.
func TestOneFindingPerCause(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	roles := config.Selection{Roles: []string{"worker"}}
	renewing := certificates.Spec{
		Name: "control_plane", Layout: "auto", Nodes: roles, RenewBefore: config.Duration(30 * 24 * time.Hour), Kubeconfigs: []string{worlds.Copy},
	}
	saving := backup.Spec{
		Name: "daily", MaxAge: config.Duration(24 * time.Hour), Nodes: roles, Include: []string{"/etc/kubernetes"}, Unencrypted: "a test", Verify: "hash",
		Store: backup.StoreSpec{Kind: backup.StoreFile, Path: "/var/backups/upkeep"}, Keep: keep.Policy{Last: 1},
	}
	again := saving
	again.Name = "weekly"
	both := []providers.Resource{renewing, saving}
	const untouched, beside = "upkeep touches no control plane while etcd is unhealthy", "etcd works without this member. upkeep changes no other member until then, and does the work that does not change etcd"
	member := func(i int, change func(*facts.Member)) func(*facts.World) {
		return func(w *facts.World) { change(&w.Etcd.Members[i]) }
	}
	down := func(m *facts.Member) {
		*m = facts.Member{ID: m.ID, Name: m.Name, Node: m.Node, PeerURLs: m.PeerURLs, Unknown: "connection refused"}
	}
	for name, test := range map[string]struct {
		resources []providers.Resource
		change    func(*facts.World)
		want      []string
	}{
		"a member is down":                   {both, member(2, down), []string{"error unknown ETCD_MEMBER_UNREACHABLE etcd_backup.daily@cp3 cp3: " + beside}},
		"of certificates alone":              {[]providers.Resource{renewing}, member(2, down), []string{"error ETCD_UNHEALTHY certificates.control_plane cp3: " + beside}},
		"of backups alone":                   {[]providers.Resource{saving}, member(2, down), []string{"error unknown ETCD_MEMBER_UNREACHABLE etcd_backup.daily@cp3 cp3: "}},
		"of two backups":                     {[]providers.Resource{saving, again}, member(2, down), []string{"error unknown ETCD_MEMBER_UNREACHABLE etcd_backup.daily@cp3 cp3: "}},
		"the specific one is declared first": {[]providers.Resource{saving, renewing}, member(2, down), []string{"error unknown ETCD_MEMBER_UNREACHABLE etcd_backup.daily@cp3 cp3: " + beside}},
		"etcd as a whole": {both, func(w *facts.World) { w.Etcd = facts.Etcd{Unknown: "no member answered"} },
			[]string{"error unknown ETCD_UNREACHABLE etcd_backup.daily : no bundle can be taken; look at etcd's containers and its certificates on the control planes; " + untouched}},
		"a learner": {both, member(2, func(m *facts.Member) { m.Learner = true }), []string{
			"note ETCD_LEARNER etcd_backup.daily cp3: `etcdctl member promote MEMBER` once it has caught up", "warning ETCD_EVEN_MEMBERS etcd_backup.daily : an even count survives no more failures than one less, and has more that can fail: add a member or remove one"}},
		"one lags": {both, member(0, func(m *facts.Member) { m.RaftIndex, m.RaftApplied = m.RaftIndex+9000, m.RaftApplied+9000 }), []string{
			"error ETCD_LAG etcd_backup.daily cp2: no snapshot is taken from it; look at its disk and its network; " + untouched,
			"error ETCD_LAG etcd_backup.daily cp3: no snapshot is taken from it; look at its disk and its network; " + untouched}},
		"two causes of one member": {both, func(w *facts.World) {
			m := &w.Etcd.Members[2]
			down(m)
			w.Etcd.Alarms = []facts.Alarm{{Member: m.ID, Type: "NOSPACE"}}
		}, []string{
			"error unknown ETCD_MEMBER_UNREACHABLE etcd_backup.daily@cp3 cp3: " + untouched,
			"error ETCD_ALARM etcd_backup.daily cp3: free space, then `etcdctl alarm disarm`: until then etcd takes no writes; " + untouched}},
		"different data": {both, member(2, func(m *facts.Member) { m.Hash++ }), []string{
			"error ETCD_HASH_DIFFERS etcd_backup.daily cp3: one of them is corrupt, and a client gets other answers from it: find out which is alone with its hash (`etcdctl endpoint hashkv --cluster`) and replace it; " + untouched}},
		"what backups do not look at": {both, member(2, func(m *facts.Member) { m.Errors = []string{"etcdserver: no leader"} }), []string{"error ETCD_UNHEALTHY certificates.control_plane cp3: " + untouched}},
	} {
		t.Run(name, func(t *testing.T) {
			world := worlds.ControlPlanes(3, noon)
			last := world.Etcd.Members[2].ID
			world.Backups = map[string]facts.Backups{"etcd_backup.daily": {}, "etcd_backup.weekly": {}}
			test.change(&world)
			r := planner.Request{World: world, Now: noon, Desired: config.Desired{Nodes: worlds.Nodes(3)}}
			for _, resource := range test.resources {
				a := resource.Address()
				r.Desired.Resources = append(r.Desired.Resources, config.Declared{Type: a.Type, Name: a.Name, Value: resource})
			}
			plan, err := planner.Build(r, []providers.Type{certificates.Type(), backup.Type()})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range plan.Findings {
				if len(f.ID) < 5 || f.ID[:5] != "ETCD_" {
					continue
				}
				unknown := ""
				if f.Unknown {
					unknown = "unknown "
				}
				got = append(got, fmt.Sprintf("%s %s%s %s %s: %s", f.Severity, unknown, f.ID, f.Address, f.Object, f.Hint))
			}
			for i, want := range test.want {
				test.want[i] = strings.ReplaceAll(want, "promote MEMBER", "promote "+last)
			}
			slices.Sort(got)
			slices.Sort(test.want)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
