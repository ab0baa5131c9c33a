package backup_test

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"upkeep/config"
	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/backup"
	"upkeep/providers/backup/bundle"
	"upkeep/providers/backup/keep"
	"upkeep/providers/etcd/health"
	"upkeep/providers/facts"
	"upkeep/state"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// stored is one bundle for a test: its age, and how it is proved ("" for not at all).
type stored struct {
	id     string
	age    time.Duration
	proved string
	change func(*facts.Bundle)
}

// keys gives a bundle as many keys of etcd.
func keys(n int64) func(*facts.Bundle) { return func(b *facts.Bundle) { b.Keys = n } }

// keeper is the state whose key signs the bundles of these tests.
var keeper = state.New()

// input is three healthy control planes with bundles in the store of etcd_backup.daily.
func input(bundles ...stored) providers.Input {
	in := providers.Input{World: worlds.ControlPlanes(3, noon), Now: noon, Inventory: providers.Inventory{Nodes: worlds.Nodes(3)}}
	in.Memory.Signers = keeper.Memory.Signers
	held := facts.Backups{Store: "file /var/backups/upkeep"}
	for _, s := range bundles {
		b := facts.Bundle{ID: s.id, TakenAt: noon.Add(-s.age), Address: "etcd_backup.daily", SHA256: "sum of " + s.id, Size: 1 << 20, ClusterID: in.World.Etcd.ClusterID, Encrypted: true}
		if s.proved != "" {
			in.Memory = with(in.Memory, facts.Proof{Bundle: s.id, Address: b.Address, SHA256: b.SHA256, Level: s.proved, At: b.TakenAt, TakenAt: b.TakenAt})
		}
		if s.change != nil {
			s.change(&b)
		}
		if b.Signature.IsZero() {
			b.Signature = keeper.Signing.Sign(bundle.Statement(b))
		}
		held.Bundles = append(held.Bundles, b)
	}
	in.World.Backups = map[string]facts.Backups{"etcd_backup.daily": held}
	return in
}

// daily is the resource that these tests are about.
var daily = facts.Address{Type: "etcd_backup", Name: "daily"}

// with returns a memory that knows a proof of etcd_backup.daily as well.
func with(m facts.Memory, p facts.Proof) facts.Memory {
	section, err := backup.WithProofs(daily, m.Sections[daily], p)
	if err != nil {
		panic(err)
	}
	return m.WithSections(facts.Sections{daily: section})
}

// proofs returns what a memory knows of etcd_backup.daily.
func proofs(m facts.Memory) []facts.Proof {
	all, err := backup.Remembered(m, daily)
	if err != nil {
		panic(err)
	}
	return all
}

func summary(o providers.Outcome) (found, steps []string) {
	for _, f := range o.Findings {
		found = append(found, strings.TrimSpace(fmt.Sprintf("%s %s: %s", f.ID, f.Object, f.Summary)))
	}
	for _, s := range o.Steps {
		steps = append(steps, s.Operation+": "+s.Summary)
	}
	return found, steps
}

// A bundle of before the cluster's CA was issued again with its old key is the cluster's own.
func TestABundleOfTheSameCAKey(t *testing.T) {
	aged := stored{id: "a", age: 3 * time.Hour, proved: "restore", change: func(b *facts.Bundle) { b.Authority = "older" }}
	for name, test := range map[string]struct {
		key  string
		want bool
	}{"the key that the state remembers": {"key", true}, "another key": {"other", false}, "no key": {"", false}} {
		in := input(aged)
		in.World.Kubernetes.Authority, in.World.Kubernetes.AuthorityKey = "newer", test.key
		in.Memory.Cluster = facts.Identity{Authority: "older", AuthorityKey: "key"}
		found, _ := summary(declared().Diff(in))
		if got := !slices.ContainsFunc(found, func(f string) bool { return strings.HasPrefix(f, "BUNDLE_FOREIGN") }); got != test.want {
			t.Errorf("%s: %q", name, found)
		}
	}
}

func TestDiff(t *testing.T) {
	const take = "backup.take: take and prove a bundle, from cp2"
	for name, test := range map[string]struct {
		in    providers.Input
		spec  func(*backup.Spec)
		found []string
		steps []string
	}{
		"a young proved bundle": {in: input(stored{id: "a", age: 3 * time.Hour, proved: "restore"})},
		"nothing":               {in: input(), found: []string{`BACKUP_NONE : there is no bundle, max_age = "1d"`}, steps: []string{take}},
		"an old one":            {in: input(stored{id: "a", age: 31 * time.Hour, proved: "restore"}), found: []string{`BACKUP_STALE : the last proved bundle is 31h old, max_age = "1d"`}, steps: []string{take}},
		"exactly max_age old":   {in: input(stored{id: "a", age: 24 * time.Hour, proved: "restore"}), found: []string{`BACKUP_STALE : the last proved bundle is 24h old, max_age = "1d"`}, steps: []string{take}},
		"one that nobody proved": {in: input(stored{id: "a", age: time.Hour}),
			found: []string{`BACKUP_NONE : no bundle is proved, max_age = "1d"`, "BACKUP_UNPROVED a: nothing that this state remembers proves it"}, steps: []string{take}},
		"one that can be proved": {in: input(stored{id: "a", age: time.Hour}), spec: func(s *backup.Spec) { s.IdentityFile = "/root/key.txt" },
			found: []string{`BACKUP_NONE : no bundle is proved, max_age = "1d"`, "BACKUP_UNPROVED a: nothing that this state remembers proves it"},
			steps: []string{"backup.prove: prove bundle a", "backup.take: take and prove a bundle, unless a is proved by then"}},
		"a proof that is not enough": {in: input(stored{id: "a", age: time.Hour, proved: "hash"}),
			found: []string{`BACKUP_NONE : no bundle is proved, max_age = "1d"`, `BACKUP_UNPROVED a: it is proved by "hash", and the block wants "restore"`}, steps: []string{take}},
		"a proof that is more than enough": {in: input(stored{id: "a", age: time.Hour, proved: "restore"}), spec: func(s *backup.Spec) { s.Verify = "hash" }},
		"other bytes than were proved": {in: input(stored{id: "a", age: time.Hour, proved: "restore", change: func(b *facts.Bundle) { b.SHA256 = "another sum" }}),
			found: []string{`BACKUP_NONE : no bundle is proved, max_age = "1d"`, "BUNDLE_DAMAGED a: its SHA-256 was sum of a… when it was proved, and the store has another sum…"}, steps: []string{take}},
		"damage that the store shows": {in: input(stored{id: "a", age: 5 * time.Hour, proved: "restore"}, stored{id: "b", age: time.Hour, proved: "restore", change: func(b *facts.Bundle) { b.Damaged = "it is cut off" }}),
			found: []string{"BUNDLE_DAMAGED b: it is cut off"}},
		"of another cluster": {in: input(stored{id: "a", age: time.Hour, proved: "restore", change: func(b *facts.Bundle) { b.ClusterID = "cafe" }}),
			found: []string{`BACKUP_NONE : there is no bundle, max_age = "1d"`, "BUNDLE_FOREIGN a: it belongs to the cluster with the id cafe, and this cluster has the id 9f706f45f558be15"}, steps: []string{take}},
		"of another block": {in: input(stored{id: "a", age: time.Hour, proved: "restore", change: func(b *facts.Bundle) { b.Address = "etcd_backup.weekly" }}),
			found: []string{`BACKUP_NONE : there is no bundle, max_age = "1d"`}, steps: []string{take}},
		"a gap": {in: input(stored{id: "a", age: time.Hour, proved: "restore", change: func(b *facts.Bundle) { b.Gaps = []string{"keys and configuration of cp3: no answer"} }}),
			found: []string{"BACKUP_GAP a: keys and configuration of cp3: no answer"}},
		"half of the keys": {in: input(stored{id: "a", age: 5 * time.Hour, proved: "restore", change: keys(801)}, stored{id: "b", age: time.Hour, proved: "restore", change: keys(400)}),
			found: []string{"BACKUP_KEYS_FEWER b: etcd had 400 keys when the bundle was taken, and 801 keys in the bundle before (a)"}},
		"half of the keys of one in between that does not count": {in: input(stored{id: "a", age: 5 * time.Hour, proved: "restore", change: keys(801)}, stored{id: "x", age: 2 * time.Hour, change: keys(400)}, stored{id: "b", age: time.Hour, proved: "restore", change: keys(400)}),
			found: []string{"BACKUP_KEYS_FEWER b: etcd had 400 keys when the bundle was taken, and 801 keys in the bundle before (a)"}},
		"more than half of the keys":          {in: input(stored{id: "a", age: 5 * time.Hour, proved: "restore", change: keys(801)}, stored{id: "b", age: time.Hour, proved: "restore", change: keys(401)})},
		"half of few keys":                    {in: input(stored{id: "a", age: 5 * time.Hour, proved: "restore", change: keys(99)}, stored{id: "b", age: time.Hour, proved: "restore", change: keys(4)})},
		"a bundle that does not say its keys": {in: input(stored{id: "a", age: 5 * time.Hour, proved: "restore", change: keys(801)}, stored{id: "b", age: time.Hour, proved: "restore"})},
		"a clock that went back": {in: input(stored{id: "a", age: 40 * 24 * time.Hour, proved: "restore"}, stored{id: "b", age: -time.Hour, proved: "restore"}), spec: func(s *backup.Spec) { s.Keep = keep.Policy{Last: 1} },
			found: []string{`BACKUP_STALE : the last proved bundle is 40d old, max_age = "1d"`,
				"BACKUP_CLOCK_WENT_BACK b: it was taken at 2026-11-22 13:00, which is 1h after now by this clock"}, steps: []string{take}},
		"a minute between two clocks": {in: input(stored{id: "a", age: -time.Minute, proved: "restore"})},
		"more than are kept": {in: input(stored{id: "a", age: 5 * time.Hour, proved: "restore"}, stored{id: "b", age: time.Hour, proved: "restore"}), spec: func(s *backup.Spec) { s.Keep = keep.Policy{Last: 1} },
			steps: []string{"backup.prune: remove 1 bundle of 2"}},
		"the newest proved one is not the newest": {in: input(stored{id: "a", age: 5 * time.Hour, proved: "restore"}, stored{id: "b", age: time.Hour}), spec: func(s *backup.Spec) { s.Keep = keep.Policy{Last: 1} },
			found: []string{"BACKUP_UNPROVED b: nothing that this state remembers proves it"}},
		"locked by the store": {in: input(stored{id: "a", age: 5 * time.Hour, proved: "restore"}, stored{id: "b", age: time.Hour, proved: "restore"}),
			spec: func(s *backup.Spec) {
				s.Keep, s.Store.LockFor = keep.Policy{Last: 1}, config.Duration(6*time.Hour)
			}},
		"a take makes room": {in: input(stored{id: "a", age: 50 * time.Hour, proved: "restore"}, stored{id: "b", age: 25 * time.Hour, proved: "restore"}), spec: func(s *backup.Spec) { s.Keep = keep.Policy{Last: 1} },
			found: []string{`BACKUP_STALE : the last proved bundle is 25h old, max_age = "1d"`}, steps: []string{"backup.prune: remove 1 bundle of 2", take, "backup.prune: remove 1 bundle of 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			spec := declared()
			if test.spec != nil {
				test.spec(&spec)
			}
			found, steps := summary(spec.Diff(test.in))
			slices.Sort(found)
			slices.Sort(test.found)
			if diff := cmp.Diff(test.found, found); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.steps, steps); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
}

// Nothing is ever said to be of a negative age.
func TestAgeWhenTheClockWentBack(t *testing.T) {
	for name, test := range map[string]struct {
		age  time.Duration
		want string
	}{
		"days":                {-98 * time.Hour, ""},
		"just over the slack": {-6 * time.Minute, ""},
		"two clocks":          {-2 * time.Minute, "is 0s old"},
		"now":                 {0, "is 0s old"},
		"a day":               {24 * time.Hour, "is 24h old"},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(stored{id: "a", age: test.age, proved: "restore"})
			out := declared().Diff(in)
			step := declared().Guards()[backup.Guard].Before(in, []providers.Step{{ID: "x"}})[0]
			want := "the last proved bundle " + test.want
			if test.want == "" { // how old it is nobody knows
				want = "no bundle in the store is proved"
			}
			if step.Why[0] != want {
				t.Errorf("why: %q", step.Why)
			}
			said := fmt.Sprint(step.Why, step.Summary, step.Changes, out.Findings, out.Objects, out.Warnings)
			if regexp.MustCompile(`-\d+[smhd]`).MatchString(said) {
				t.Errorf("a negative age: %s", said)
			}
		})
	}
}

func TestUnknownIsNotHealthy(t *testing.T) {
	in := input(stored{id: "a", age: time.Hour, proved: "restore"})
	in.World.Backups["etcd_backup.daily"] = facts.Backups{Unknown: "connection refused"}
	out := declared().Diff(in)
	if len(out.Steps) > 0 || len(out.Findings) != 1 || out.Findings[0].ID != "BACKUP_STORE_UNREACHABLE" || !out.Findings[0].Unknown || out.Objects[0].Status != "unknown" {
		t.Errorf("%+v", out)
	}
	step := declared().Guards()[backup.Guard].Before(in, []providers.Step{{ID: "x"}})[0]
	if ready := backup.Type().Effects[step.Operation].Ready(in, step); ready.State != providers.Unknown {
		t.Errorf("ready: %+v", ready)
	}
}

func TestEtcdHealth(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*facts.Etcd)
		want   []string
	}{
		"healthy": {func(*facts.Etcd) {}, nil},
		"alarms": {func(e *facts.Etcd) {
			e.Alarms = []facts.Alarm{{Member: e.Members[0].ID, Type: "NOSPACE"}, {Member: e.Members[2].ID, Type: "CORRUPT"}}
		}, []string{"ETCD_ALARM cp1: alarm NOSPACE is raised on member cp1", "ETCD_ALARM cp3: alarm CORRUPT is raised on member cp3"}},
		"a learner":   {func(e *facts.Etcd) { e.Members[2].Learner = true }, []string{"ETCD_LEARNER cp3: member cp3 is a learner and has no vote", "ETCD_EVEN_MEMBERS : etcd has 2 voting members"}},
		"unstarted":   {func(e *facts.Etcd) { e.Members[2].Name, e.Members[2].ID = "", "f00" }, []string{"ETCD_MEMBER_UNSTARTED f00: member f00 was added and never started"}},
		"unreachable": {func(e *facts.Etcd) { e.Members[2].Unknown = "refused" }, []string{"ETCD_MEMBER_UNREACHABLE cp3: member cp3 does not answer: refused"}},
		"silent":      {func(e *facts.Etcd) { *e = facts.Etcd{Unknown: "no member answered"} }, []string{"ETCD_UNREACHABLE : no member answered"}},
		"versions":    {func(e *facts.Etcd) { e.Members[0].Version = "3.5.21" }, []string{"ETCD_VERSION_SKEW : members are of different versions: 3.5.21 on cp1; 3.6.6 on cp2, cp3"}},
		"nearly full": {func(e *facts.Etcd) { e.Members[1].DBSize = 1900 << 20 }, []string{"ETCD_QUOTA_NEAR cp2: the database of cp2 fills 92% of its quota of 2.0 GiB"}},
		"behind":      {func(e *facts.Etcd) { e.Members[0].RaftIndex += 6000; e.Members[0].RaftApplied += 6000 }, []string{"ETCD_LAG cp2: member cp2 is 6000 raft entries behind", "ETCD_LAG cp3: member cp3 is 6000 raft entries behind"}},
		"other data":  {func(e *facts.Etcd) { e.Members[1].Hash = 1 }, []string{"ETCD_HASH_DIFFERS cp2: members cp1 and cp2 hold different data at revision 1800"}},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(stored{id: "a", age: time.Hour, proved: "restore"})
			test.change(&in.World.Etcd)
			found, _ := summary(declared().Diff(in))
			slices.Sort(found)
			slices.Sort(test.want)
			if diff := cmp.Diff(test.want, found); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Where etcd is asked in vain is said of the blocks that want it asked there, and etcd is not worse for it.
func TestUnusableEndpoints(t *testing.T) {
	const dead, other = "https://10.0.0.9:2379", "https://10.0.0.8:2379"
	for name, test := range map[string]struct {
		endpoints []string
		unusable  []string
		unknown   bool // nothing is known of node cp3
		want      []string
	}{
		"all lead to members":              {endpoints: []string{other}},
		"one is dead":                      {endpoints: []string{dead, other}, unusable: []string{dead}, want: []string{"etcd_backup.daily " + dead}},
		"it is another block's":            {endpoints: []string{other}, unusable: []string{dead}},
		"a node without a member":          {unusable: []string{"cp3"}, want: []string{"etcd_backup.daily@cp3 cp3"}},
		"a node that was not looked at":    {unusable: []string{"e1"}, want: []string{"etcd_backup.daily@e1 e1"}},
		"a node that nothing is known of":  {unusable: []string{"cp3"}, unknown: true},
		"another block's beside own nodes": {unusable: []string{dead}},
	} {
		t.Run(name, func(t *testing.T) {
			in, spec := input(stored{id: "a", age: time.Hour, proved: "restore"}), declared()
			for _, url := range test.endpoints {
				spec.Endpoints = append(spec.Endpoints, facts.EtcdEndpoint{URL: url})
			}
			for _, at := range test.unusable {
				in.World.Etcd.Unusable = append(in.World.Etcd.Unusable, facts.UnusableEndpoint{At: at, Why: "connection refused"})
			}
			if test.unknown {
				in.World.Nodes["cp3"].Unknown = "no answer in 10s"
			}
			var got []string
			for _, f := range spec.Diff(in).Findings {
				if f.ID == "ETCD_ENDPOINT_UNUSABLE" {
					got = append(got, f.Address.String()+" "+f.Object)
					if f.Unknown || f.Severity != providers.SeverityWarning || f.Summary != f.Object+" leads to no member of etcd: connection refused" {
						t.Errorf("%+v", f)
					}
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if standing := health.Judge(in.World.Etcd); standing.Sick != "" || len(standing.Out) > 0 {
				t.Errorf("%+v", standing)
			}
		})
	}
}

func TestReady(t *testing.T) {
	spec := declared()
	stale := input(stored{id: "a", age: 30 * time.Hour, proved: "restore"})
	step := spec.Diff(stale).Steps[0]
	effect := backup.Type().Effects[backup.OperationTake]
	step = grounded(t, effect, stale, step)
	replaced := step
	asked := func(in providers.Input) providers.Input {
		in.Replace = []providers.Address{spec.Address()}
		return in
	}
	sick := stale
	sick.World.Etcd = facts.Etcd{Unknown: "no member answered"}
	for name, test := range map[string]struct {
		in   providers.Input
		want providers.ReadyState
	}{
		"as planned":                          {stale, providers.Holds},
		"somebody took one":                   {input(stored{id: "a", age: 30 * time.Hour, proved: "restore"}, stored{id: "b", age: time.Hour, proved: "restore"}), providers.Done},
		"somebody took one, unproved":         {input(stored{id: "a", age: 30 * time.Hour, proved: "restore"}, stored{id: "b", age: time.Hour}), providers.Holds},
		"a new one is asked for":              {asked(input(stored{id: "a", age: time.Hour, proved: "restore"})), providers.Holds},
		"a new one was asked for and is here": {asked(input(stored{id: "a", age: time.Hour, proved: "restore"}, stored{id: "b", age: time.Minute, proved: "restore"})), providers.Done},
		"etcd is silent":                      {sick, providers.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			if got := effect.Ready(test.in, replaced); got.State != test.want {
				t.Errorf("%+v, want %s", got, test.want)
			}
		})
	}
}

// TestPruneAgain: what the policy keeps at the moment of acting is not removed, whatever the plan says.
func TestPruneAgain(t *testing.T) {
	spec := declared(func(s *backup.Spec) { s.Keep = keep.Policy{Last: 1} })
	both := []stored{{id: "a", age: 5 * time.Hour, proved: "restore"}, {id: "b", age: time.Hour, proved: "restore"}}
	planned := input(both...)
	step := spec.Diff(planned).Steps[0]
	effect := backup.Type().Effects[backup.OperationPrune]
	back := input(both...)
	back.Now = noon.Add(-2 * time.Hour)
	for name, test := range map[string]struct {
		in   providers.Input
		want providers.ReadyState
	}{
		"as planned":             {planned, providers.Holds},
		"gone already":           {input(both[1]), providers.Done},
		"the newer one is gone":  {input(both[0]), providers.Moved},
		"the proof is gone":      {input(both[0], stored{id: "b", age: time.Hour}), providers.Moved},
		"the clock went back":    {back, providers.Moved},
		"the newer one is other": {input(both[0], stored{id: "b", age: time.Hour, proved: "restore", change: func(b *facts.Bundle) { b.SHA256 = "another" }}), providers.Moved},
	} {
		t.Run(name, func(t *testing.T) {
			if got := effect.Ready(test.in, step); got.State != test.want {
				t.Errorf("%+v, want %s", got, test.want)
			}
		})
	}
	gone := input(both[1])
	if err := effect.Proved(planned, gone, step); err != nil {
		t.Error(err)
	}
	for name, after := range map[string]providers.Input{"nothing is gone": planned, "too much is gone": input()} {
		if err := effect.Proved(planned, after, step); err == nil {
			t.Errorf("%s, and it is proved", name)
		}
	}
}

// TestLabelsOfProvedBundles: a proof is of the bytes, and no proof makes a label true that was changed.
func TestLabelsOfProvedBundles(t *testing.T) {
	sign := func(b *facts.Bundle) { b.Signature = keeper.Signing.Sign(bundle.Statement(*b)) }
	for name, test := range map[string]struct {
		change func(*facts.Bundle)
		proof  string // the label that the proof remembers
		want   backup.Status
	}{
		"as it was signed":          {func(b *facts.Bundle) { b.LabelSHA256 = "a"; sign(b) }, "", backup.Proved},
		"as it was proved":          {func(b *facts.Bundle) { b.LabelSHA256 = "a"; sign(b) }, "a", backup.Proved},
		"unsigned":                  {func(b *facts.Bundle) { b.LabelSHA256, b.Signature.Key = "a", "none" }, "a", backup.Proved},
		"changed after its signing": {func(b *facts.Bundle) { sign(b); b.LabelSHA256 = "b" }, "", backup.Damaged},
		"changed after its proof":   {func(b *facts.Bundle) { b.LabelSHA256, b.Signature.Key = "b", "none" }, "a", backup.Damaged},
		"signed anew by a thief":    {func(b *facts.Bundle) { b.LabelSHA256 = "b"; sign(b) }, "a", backup.Damaged},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(stored{id: "a", age: time.Hour, change: test.change})
			b := in.World.Backups["etcd_backup.daily"].Bundles[0]
			in.Memory = with(in.Memory, facts.Proof{Bundle: "a", Address: b.Address, SHA256: b.SHA256, Level: "restore",
				At: b.TakenAt, TakenAt: b.TakenAt, LabelSHA256: test.proof})
			got := declared().Judge(in).Bundles[0]
			if got.Status != test.want {
				t.Errorf("%s: %s; want %s", got.Status, got.Why, test.want)
			}
		})
	}
}

// drawn draws a block, and what its store holds.
func drawn(t *rapid.T) (backup.Spec, providers.Input) {
	var bundles []stored
	for i := range rapid.IntRange(0, 8).Draw(t, "bundles") {
		s := stored{
			id: fmt.Sprintf("b%d", i), age: time.Duration(rapid.IntRange(-40, 24*90).Draw(t, "age")) * time.Hour,
			proved: rapid.SampledFrom([]string{"", "hash", "restore"}).Draw(t, "proved"),
		}
		fates := []string{"", "", "", "", "damaged", "foreign", "cold", "forged", "of another block", "in the clear"}
		switch rapid.SampledFrom(fates).Draw(t, "fate") {
		case "damaged":
			s.change = func(b *facts.Bundle) { b.SHA256 = "another" }
		case "cold":
			s.change = func(b *facts.Bundle) { b.Cold = true }
		case "foreign":
			s.change = func(b *facts.Bundle) { b.ClusterID = "cafe" }
		case "forged":
			s.proved, s.change = "", func(b *facts.Bundle) { b.Signature = state.New().Signing.Sign(bundle.Statement(*b)) }
		case "of another block":
			s.change = func(b *facts.Bundle) { b.Address = "etcd_backup.weekly" }
		case "in the clear":
			s.change = func(b *facts.Bundle) { b.Encrypted = false }
		}
		bundles = append(bundles, s)
	}
	spec := declared(func(s *backup.Spec) {
		s.Verify = rapid.SampledFrom([]string{"hash", "restore"}).Draw(t, "verify")
		s.Keep = keep.Policy{Last: rapid.IntRange(0, 3).Draw(t, "last"), Daily: rapid.IntRange(1, 5).Draw(t, "daily")}
		if rapid.Bool().Draw(t, "identity") {
			s.IdentityFile = "/root/key.txt"
		}
	})
	in := input(bundles...)
	if rapid.Bool().Draw(t, "etcd is stopped") {
		in.Memory.Cluster.EtcdClusterID = in.World.Etcd.ClusterID
		stop(&in.World, "cp1", "cp2", "cp3")
	}
	return spec, in
}

// TestConverges: whatever a store holds, the steps of a diff leave nothing to do, the newest proved bundle stays, a clock that
// went back removes nothing, and damaged bundles are not touched.
func TestConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec, in := drawn(t)
		before := in.World.Backups["etcd_backup.daily"].Bundles
		out := spec.Diff(in)
		predicted := in
		predicted.World = in.World.Clone()
		effects := backup.Type().Effects
		for i := range out.Steps {
			step := &out.Steps[i]
			*step = grounded(t, effects[step.Operation], predicted, *step)
			if ready := effects[step.Operation].Ready(predicted, *step); ready.State != providers.Holds && ready.State != providers.Done {
				t.Fatalf("%s: %+v", step.ID, ready)
			}
			predicted.Apply(effects[step.Operation].Predict(predicted, *step))
		}
		again := spec.Diff(predicted)
		if len(again.Steps) > 0 {
			t.Fatalf("still due: %+v", again.Steps)
		}
		after := predicted.World.Backups["etcd_backup.daily"].Bundles
		newest, at, future := "", time.Time{}, false
		for _, b := range before {
			ours := b.ClusterID != "cafe" && b.Address == "etcd_backup.daily" && b.Encrypted && b.Signature.Key == keeper.Signing.Public()
			future = future || ours && b.SHA256 != "another" && b.TakenAt.After(noon)
			proof := !b.Cold && !b.TakenAt.After(noon) && slices.ContainsFunc(proofs(in.Memory), func(p facts.Proof) bool {
				return p.Bundle == b.ID && p.SHA256 == b.SHA256 && (p.Level == "restore" || p.Level == spec.Verify)
			})
			there := slices.ContainsFunc(after, func(o facts.Bundle) bool { return o.ID == b.ID })
			// It is known to be damaged where a proof of other bytes is remembered.
			damaged := b.SHA256 == "another" && slices.ContainsFunc(proofs(in.Memory), func(p facts.Proof) bool { return p.Bundle == b.ID })
			if (!ours || damaged) && !there {
				t.Fatalf("%s was removed", b.ID)
			}
			if ours && proof && !b.TakenAt.Before(at) {
				newest, at = b.ID, b.TakenAt
			}
		}
		if future && len(after) < len(before) {
			t.Fatal("something was removed although the clock went back")
		}
		// Another may have taken its place that the steps took or proved and that is as young.
		proved := slices.ContainsFunc(after, func(o facts.Bundle) bool {
			return o.ID == facts.New || !o.TakenAt.Before(at) && slices.ContainsFunc(proofs(predicted.Memory), func(p facts.Proof) bool { return p.Bundle == o.ID && p.SHA256 == o.SHA256 })
		})
		if newest != "" && !proved {
			t.Fatalf("the newest proved bundle %s is gone and no newer one is there", newest)
		}
	})
}

// TestByHand: every script is a script of a POSIX shell, and names what it is about.
func TestByHand(t *testing.T) {
	spec := declared(func(s *backup.Spec) { s.Keep, s.IdentityFile = keep.Policy{Last: 1}, "/root/key.txt" })
	in := input(stored{id: "a", age: 50 * time.Hour, proved: "restore"}, stored{id: "b", age: 30 * time.Hour, proved: "restore"}, stored{id: "c; rm -rf /", age: 25 * time.Hour})
	all := ""
	for _, step := range spec.Diff(in).Steps {
		commands := backup.Type().Effects[step.Operation].ByHand(in, step)
		if len(commands) == 0 {
			t.Errorf("%s has no way by hand", step.ID)
		}
		for _, c := range commands {
			all += c.Run + "\n"
			for _, script := range []string{c.Run, c.Undo} {
				check := exec.Command("sh", "-n")
				check.Stdin = strings.NewReader("set -eu\n" + script)
				if out, err := check.CombinedOutput(); err != nil {
					t.Errorf("%s, %s: %v: %s\n%s", step.ID, c.What, err, out, script)
				}
			}
			if c.What == "" || c.See == "" || c.Stop == "" {
				t.Errorf("%s: %+v", step.ID, c)
			}
		}
	}
	for _, want := range []string{"snapshot save", "age -r " + recipient, "ssh", "sha256sum", "etc/kubernetes", "rm -f -- a.upkeep-bundle"} {
		if !strings.Contains(all, want) {
			t.Errorf("nothing says %q:\n%s", want, all)
		}
	}
}
