package seen_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"upkeep/fixtures/twice"
	"upkeep/providers/facts"
	"upkeep/state/seen"
)

var (
	noon  = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	certs = facts.Address{Type: "certificates", Name: "control_plane"}
)

func finding(object string) seen.Finding {
	return seen.FindingOf("CERT_EXPIRES_SOON", certs.On("cp1"), object)
}

func TestFindings(t *testing.T) {
	var zero seen.Seen
	first := zero.WithFindings(noon, finding("apiserver"))
	second := first.WithFindings(noon.Add(time.Hour), finding("apiserver"), finding("etcd-server"))
	third := second.WithFindings(noon.Add(2*time.Hour), finding("etcd-server"))
	back := third.WithFindings(noon.Add(80*24*time.Hour), finding("apiserver"))
	for name, test := range map[string]struct {
		in     seen.Seen
		object string
		want   time.Time
	}{
		"seen once":            {first, "apiserver", noon},
		"seen again":           {second, "apiserver", noon},
		"new beside it":        {second, "etcd-server", noon.Add(time.Hour)},
		"not seen this time":   {third, "apiserver", noon},
		"came back":            {back, "apiserver", noon},
		"never seen":           {third, "sa.key", time.Time{}},
		"nothing is seen yet":  {zero, "apiserver", time.Time{}},
		"not yet in the first": {first, "etcd-server", time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, known := test.in.First("CERT_EXPIRES_SOON", certs.On("cp1"), test.object)
			if !got.Equal(test.want) || known == test.want.IsZero() {
				t.Errorf("%s, %v, want %s", got, known, test.want)
			}
		})
	}
	if _, known := second.First("CERT_EXPIRES_SOON", certs.On("cp2"), "apiserver"); known {
		t.Error("another node's finding is the same one")
	}
}

func TestClockThatGoesBack(t *testing.T) {
	s := seen.Seen{}.WithFindings(noon, finding("a")).WithFindings(noon.Add(-time.Hour), finding("a"))
	got := s.Findings[seen.Fingerprint("CERT_EXPIRES_SOON", certs.On("cp1"), "a")]
	if !got.First.Equal(noon) || !got.Last.Equal(noon) {
		t.Errorf("%+v", got)
	}
}

func TestBounds(t *testing.T) {
	s := seen.Seen{}.WithFindings(noon, finding("old"))
	if s = s.WithFindings(noon.Add(seen.Kept)); len(s.Findings) != 1 {
		t.Errorf("on the last day: %+v", s)
	}
	if s = s.WithFindings(noon.Add(seen.Kept + 1)); len(s.Findings) != 0 {
		t.Errorf("after it: %+v", s)
	}
	var many []seen.Finding
	for i := range seen.Most + 10 {
		many = append(many, finding(fmt.Sprint(i)))
	}
	s = s.WithFindings(noon, finding("first")).WithFindings(noon.Add(1), many...)
	if _, known := s.First("CERT_EXPIRES_SOON", certs.On("cp1"), "first"); known || len(s.Findings) != seen.Most {
		t.Errorf("%d are kept; the oldest is among them: %v", len(s.Findings), known)
	}
	s = s.WithFault(noon, "s1", "n1", "xid 79").WithKernelLog(noon, "n1", "boot", 1)
	if s = s.WithFindings(noon.Add(seen.Kept + 2)); len(s.Faults)+len(s.KernelLogs)+len(s.Findings) != 0 {
		t.Errorf("after 90 days: %d faults, %d logs, %d findings", len(s.Faults), len(s.KernelLogs), len(s.Findings))
	}
}

func TestWaits(t *testing.T) {
	at := func(hours int) time.Time { return noon.Add(time.Duration(hours) * time.Hour) }
	waits := func(what string, first time.Time) seen.Wait {
		return seen.Wait{For: what, Sighting: seen.Sighting{First: first}}
	}
	night := func(first time.Time) seen.Wait {
		w := waits("window night", first)
		w.Window = "night"
		return w
	}
	all := []string{"told since", "fewer leases", "window", "window again", "over", "not told since"}
	s := seen.Seen{}.WithWaits(at(0), all, map[string]seen.Wait{
		"told since": waits("1 lease", at(-5)), "fewer leases": waits("2 leases", at(0)), "window": waits("1 lease", at(0)),
		"window again": night(at(0)), "over": waits("1 lease", at(0)), "not told since": waits("1 lease", time.Time{}),
	})
	s = s.WithWaits(at(1), []string{"of another plan"}, map[string]seen.Wait{"of another plan": waits("1 lease", at(1))})
	s = s.WithWaits(at(2), all, map[string]seen.Wait{
		"told since": waits("1 lease", at(-7)), "fewer leases": waits("1 lease", at(2)), "window": night(at(2)),
		"window again": night(at(2)), "not told since": waits("1 lease", time.Time{}),
	})
	got := map[string]string{}
	for step, w := range s.Waits {
		got[step] = w.For + " " + w.First.Format("15:04") + " " + w.Last.Format("15:04")
	}
	want := map[string]string{
		"told since": "1 lease 05:00 14:00", "fewer leases": "1 lease 12:00 14:00", "window": "window night 14:00 14:00",
		"window again": "window night 12:00 14:00", "not told since": "1 lease 12:00 14:00", "of another plan": "1 lease 13:00 13:00",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s = s.OnlyWaitsOf(at(3), func(step string) bool { return step == "window" })
	if len(s.Waits) != 1 || s.Waits["window"].For != "window night" {
		t.Errorf("of one step that is due: %+v", s.Waits)
	}
}

func TestFaultsAndKernelLogs(t *testing.T) {
	s := seen.Seen{}.WithFault(noon, "s1", "gpu1", "xid 79").WithFault(noon.Add(time.Hour), "s1", "gpu2", "xid 48")
	if f := s.Faults["s1"]; f.Count != 2 || f.Node != "gpu2" || f.Kind != "xid 48" || !f.First.Equal(noon) || !f.Last.Equal(noon.Add(time.Hour)) {
		t.Errorf("fault %+v", f)
	}
	s = s.WithKernelLog(noon, "gpu1", "b1", 50).WithKernelLog(noon, "gpu1", "b1", 40)
	if k := s.KernelLogs["gpu1"]; k.Position != 50 {
		t.Errorf("the position went back: %+v", k)
	}
	if k := s.WithKernelLog(noon, "gpu1", "b2", 3).KernelLogs["gpu1"]; k.Position != 3 || k.Boot != "b2" {
		t.Errorf("after a boot: %+v", k)
	}
}

// A change leaves what it was made from as it was, and survives being stored.
func TestChangesArePure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := seen.Seen{}
		now := noon
		for range rapid.IntRange(1, 12).Draw(t, "changes") {
			before, err := seen.Encode(s)
			if err != nil {
				t.Fatal(err)
			}
			name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name")
			var next seen.Seen
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				next = s.WithFindings(now, finding(name))
			case 1:
				next = s.WithWaits(now, []string{name, "b"}, map[string]seen.Wait{name: {For: "tenants"}})
			case 2:
				next = s.WithFault(now, name, "n1", "xid 79")
			default:
				next = s.WithKernelLog(now, name, "boot", uint64(now.Unix()))
			}
			if after, err := seen.Encode(s); err != nil || string(after) != string(before) {
				t.Fatalf("a change wrote into what it was made from (%v)", err)
			}
			stored, err := seen.Encode(next)
			if err != nil {
				t.Fatal(err)
			}
			read, err := seen.Decode(stored)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(next, read); diff != "" {
				t.Fatalf("stored and read (-want +got):\n%s", diff)
			}
			s, now = next, now.Add(time.Duration(rapid.IntRange(0, 40*24).Draw(t, "hours"))*time.Hour)
		}
	})
}

func TestDecodeRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		data, want string
		newer      bool
	}{
		"nothing":       {"", "cannot be read", false},
		"no version":    {"{}", "no version", false},
		"newer":         {`{"version":4,"more":1}`, "upgrade upkeep", true},
		"unknown field": {`{"version":1,"more":1}`, "more", false},
		"two":           {`{"version":1}{"version":1}`, "cannot be read", false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := seen.Decode([]byte(test.data))
			var refused *seen.Error
			if !errors.As(err, &refused) || refused.Newer != test.newer || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

// Of a plan the digests of its resources are known as long as somebody may still come back with its digest.
func TestPlans(t *testing.T) {
	s := seen.Seen{}.WithPlan(noon, "sha256:none", nil)
	if len(s.Plans) != 0 {
		t.Errorf("a plan that does nothing is kept: %v", s.Plans)
	}
	for i := range seen.MostPlans + 1 {
		s = s.WithPlan(noon.Add(time.Duration(i)*time.Minute), fmt.Sprint("sha256:", i), map[string]string{"a.b": fmt.Sprint(i)})
	}
	if _, oldest := s.Plans["sha256:0"]; oldest || len(s.Plans) != seen.MostPlans || s.Plans["sha256:1"].Resources["a.b"] != "1" {
		t.Errorf("%d plans are kept", len(s.Plans))
	}
}

// TestDamaged cuts a full record at every byte, and damages every byte of it. What is not a record is an error that says what
// it is, never a panic and never an empty record; what is still one can be used.
func TestDamaged(t *testing.T) {
	full := seen.Seen{}.WithFindings(noon, finding("apiserver")).
		WithWaits(noon, []string{"s"}, map[string]seen.Wait{"s": {For: "2 leases", Window: "weekly"}}).
		WithFaults(noon, map[string][]facts.DeviceFault{"serial": {{Node: "gpu1", Kind: "xid 79"}}}).
		WithKernelLog(noon, "gpu1", "boot", 17).WithSpace(noon, map[string]uint64{"gpu1 /var": 1 << 30}).
		WithPlan(noon, "sha256:ab", map[string]string{"certificates.control_plane": "sha256:cd"})
	full.Stop = &seen.Stop{Lock: "l", Who: "a@b", At: noon, Reason: "why"}
	whole, err := seen.Encode(full)
	if err != nil {
		t.Fatal(err)
	}
	used := func(s seen.Seen) {
		_ = s.Earlier()
		s.WithFindings(noon, finding("etcd-server")).WithWaits(noon, []string{"s"}, nil).WithFault(noon, "serial", "gpu1", "xid 79").
			WithFaults(noon, map[string][]facts.DeviceFault{"serial": {{Node: "gpu1", Kind: "xid 79"}}}).WithSpace(noon, map[string]uint64{"a": 1}).
			WithKernelLog(noon, "gpu1", "boot", 18).WithPlan(noon, "d", map[string]string{"a": "b"}).OnlyWaitsOf(noon, func(string) bool { return false })
	}
	for length := range whole {
		got, err := seen.Decode(whole[:length])
		var refused *seen.Error
		switch {
		case length == len(whole)-1: // the newline alone is missing
			if diff := cmp.Diff(full, got); err != nil || diff != "" {
				t.Errorf("without its newline: %v %s", err, diff)
			}
		case !errors.As(err, &refused):
			t.Errorf("cut after %d bytes it is %+v, %v", length, got, err)
		case !strings.Contains(err.Error(), "it is empty") && !strings.Contains(err.Error(), fmt.Sprintf("in the middle, at byte %d", length)):
			t.Errorf("cut after %d bytes: %v", length, err)
		}
	}
	for i := range whole {
		for _, to := range []byte{0, '"', '9'} {
			damaged := append([]byte(nil), whole...)
			damaged[i] = to
			got, err := seen.Decode(damaged)
			var refused *seen.Error
			if err != nil && !errors.As(err, &refused) {
				t.Errorf("byte %d is %q: %v", i, to, err)
			}
			used(got)
		}
	}
	for name, test := range map[string]struct{ data, want string }{
		"nothing":      {"", "it is empty"},
		"blank":        {"\n\n", "it is empty"},
		"zeroes":       {"\x00\x00\x00", "it is not JSON at byte 1"},
		"a list":       {"[]", "is of the wrong kind, array"},
		"null":         {"null", "it has no version"},
		"newer":        {`{"version": 4, "more": 1}`, "upgrade upkeep to the version that wrote it"},
		"much newer":   {`{"version": 99999999999999999999}`, `its field "version" is of the wrong kind, number`},
		"unknown":      {`{"version": 3, "more": 1}`, `unknown field "more"`},
		"another kind": {`{"version": 3, "findings": []}`, `its field "findings" is of the wrong kind, array`},
		"twice":        {`{"version": 3}{"version": 3}`, "it is not JSON at byte 15"},
		"below one":    {`{"version": -1}`, "it has no version"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := seen.Decode([]byte(test.data))
			var refused *seen.Error
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "left untouched; ") {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	for _, version := range []string{"1", "2"} { // as older ones wrote it
		got, err := seen.Decode([]byte(strings.Replace(string(whole), `"version": 3`, `"version": `+version, 1)))
		if got.Version = seen.Version; err != nil || !cmp.Equal(got, full) {
			t.Errorf("version %s: %v %s", version, err, cmp.Diff(full, got))
		}
	}
}

// TestRecordKeysStandOnce: what was seen is trusted by nobody's memory of it; which of two keys counts is not left to the
// reader.
func TestRecordKeysStandOnce(t *testing.T) {
	var zero seen.Seen
	good, err := seen.Encode(zero.WithFindings(noon, finding("apiserver")))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range append(twice.Texts(good), []byte(`{"version": 1, "Version": 1}`)) {
		var refused *seen.Error
		if _, err := seen.Decode(text); !errors.As(err, &refused) || !strings.Contains(err.Error(), "stands twice") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
