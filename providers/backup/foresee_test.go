package backup_test

import (
	"strings"
	"testing"
	"time"

	"upkeep/providers/backup"
	"upkeep/providers/facts"
)

// What will keep a bundle from being taken is said by the plan, not first by apply.
func TestForesee(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*facts.Backups, *facts.World)
		spec   func(*backup.Spec)
		want   string
	}{
		"nothing": {func(*facts.Backups, *facts.World) {}, func(*backup.Spec) {}, ""},
		"an identity of nobody": {func(b *facts.Backups, _ *facts.World) { b.Identity = "identity_file key.txt: no recipient" }, func(*backup.Spec) {},
			"identity_file key.txt: no recipient"},
		"on a control plane": {func(b *facts.Backups, w *facts.World) { b.MachineID, w.Nodes["cp2"].System.MachineID = "id", "id" }, func(*backup.Spec) {},
			"upkeep runs on cp2, and a restore drill there needs drill_on_control_plane = true"},
		"on a control plane, allowed": {func(b *facts.Backups, w *facts.World) { b.MachineID, w.Nodes["cp2"].System.MachineID = "id", "id" },
			func(s *backup.Spec) { s.DrillOnControlPlane = true }, ""},
		"on a control plane, without a drill": {func(b *facts.Backups, w *facts.World) { b.MachineID, w.Nodes["cp2"].System.MachineID = "id", "id" },
			func(s *backup.Spec) { s.Verify = backup.LevelHash }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(stored{id: "a", age: 31 * time.Hour, proved: "restore"})
			held := in.World.Backups["etcd_backup.daily"]
			test.change(&held, &in.World)
			in.World.Backups["etcd_backup.daily"] = held
			said := strings.Join(declared(test.spec).Diff(in).Warnings, "\n")
			if !strings.Contains(said, test.want) || test.want == "" && said != "" {
				t.Errorf("warnings %q, want %q", said, test.want)
			}
		})
	}
}

// A proved bundle that is gone is missed unless the policy let it go; where all are gone, the store is not to be believed.
func TestMissing(t *testing.T) {
	const shop = "file /var/backups/upkeep"
	proof := func(id string, age time.Duration, change func(*facts.Proof)) facts.Proof {
		p := facts.Proof{Bundle: id, Address: "etcd_backup.daily", SHA256: "sum of " + id, Level: "restore", At: noon.Add(-age), TakenAt: noon.Add(-age), Store: shop}
		change(&p)
		return p
	}
	as := func(*facts.Proof) {}
	there := stored{id: "b", age: time.Hour, proved: "restore"}
	for name, test := range map[string]struct {
		proofs []facts.Proof
		there  []stored
		found  string
	}{
		"an older one is gone":             {[]facts.Proof{proof("a", 5*time.Hour, as), proof("b", time.Hour, as)}, []stored{there}, "BACKUP_MISSING a"},
		"the newest is gone":               {[]facts.Proof{proof("c", time.Minute, as), proof("b", time.Hour, as)}, []stored{there}, "BACKUP_MISSING c"},
		"it is being removed":              {[]facts.Proof{proof("a", 5*time.Hour, func(p *facts.Proof) { p.Going = true })}, []stored{there}, ""},
		"it lay in another store":          {[]facts.Proof{proof("a", 5*time.Hour, func(p *facts.Proof) { p.Store = "s3 old" })}, []stored{there}, ""},
		"from before, perhaps pruned":      {[]facts.Proof{proof("a", 5*time.Hour, func(p *facts.Proof) { p.Store = "" })}, []stored{there}, ""},
		"from before, never pruned":        {[]facts.Proof{proof("c", time.Minute, func(p *facts.Proof) { p.Store = "" })}, []stored{there}, "BACKUP_MISSING c"},
		"all of them are gone":             {[]facts.Proof{proof("a", 5*time.Hour, as), proof("b", time.Hour, as)}, nil, "BACKUP_STORE_UNREACHABLE file"},
		"all are gone, and one is planted": {[]facts.Proof{proof("a", 5*time.Hour, as)}, []stored{{id: "z", age: time.Hour}}, "BACKUP_STORE_UNREACHABLE file"},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(test.there...)
			for _, p := range test.proofs {
				in.Memory = with(in.Memory, p)
			}
			out := declared().Diff(in)
			found, steps := summary(out)
			said := strings.Join(found, "\n")
			if !strings.Contains(said, test.found) || test.found == "" && strings.Contains(said, "BACKUP_MISSING") {
				t.Errorf("findings %q, want %q", found, test.found)
			}
			if unknown := strings.HasPrefix(test.found, "BACKUP_STORE"); unknown && (len(steps) > 0 || out.Objects[0].Status != "unknown") {
				t.Errorf("steps %q, %+v", steps, out.Objects)
			}
		})
	}
}
