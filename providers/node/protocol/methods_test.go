package protocol_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/node/protocol"
)

// Every row says all that those need who are made from it.
func TestTheTableOfMethods(t *testing.T) {
	names := map[string]bool{}
	for _, s := range protocol.Services() {
		if names[s.Name] {
			t.Errorf("two services are called %s", s.Name)
		}
		names[s.Name] = true
	}
	for _, r := range protocol.Methods() {
		if r.Name == "" || names[r.Name] {
			t.Errorf("two methods or services are called %q", r.Name)
		}
		names[r.Name] = true
		if found, ok := protocol.Find(r.Name); !ok || found.Name != r.Name {
			t.Errorf("%s is found as %+v", r.Name, found)
		}
		if r.Limit <= 0 || r.Limit%time.Second != 0 {
			t.Errorf("%s may take %s", r.Name, r.Limit)
		}
		if r.Unit == nil {
			continue
		}
		if r.Class != protocol.ClassChange {
			t.Errorf("%s changes the node and is of class %s", r.Name, r.Class)
		}
		if r.Unit.Most < r.Limit {
			t.Errorf("%s may take %s, and at most %s", r.Name, r.Limit, r.Unit.Most)
		}
		if err := r.Unit.Hardening.Check(); err != nil {
			t.Errorf("%s: %v", r.Name, err)
		}
	}
	if r, ok := protocol.Find("format.disk"); ok {
		t.Errorf("found %+v", r)
	}
	offered := 0
	for _, c := range protocol.Classes() {
		offered += len(c.Offers())
	}
	if offered != len(names) {
		t.Errorf("the classes offer %d of %d methods and services", offered, len(names))
	}
}

// What was on the wire stays: a name, its class and whether it is carried out in a unit.
func TestTheWireStays(t *testing.T) {
	got := map[string]string{}
	want := map[string]string{
		"hello": "observe", "observe": "observe", "lock": "change",
		"certificates.renew": "change, unit", "certificates.repair": "change, unit", "static_pod.restart": "change, unit", "marks.undo": "change, unit",
	}
	for name := range want {
		if r, ok := protocol.Find(name); ok {
			got[name] = string(r.Class)
			if r.Unit != nil {
				got[name] += ", unit"
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("methods (-want +got)\n%s", diff)
	}
}

func TestARunMayAskForTime(t *testing.T) {
	unit := protocol.Row{Limit: 10 * time.Minute, Unit: &protocol.Unit{Most: time.Hour}}
	for _, test := range []struct {
		row              protocol.Row
		asks             int
		allowed, patient time.Duration
	}{
		{unit, 0, 10 * time.Minute, 13 * time.Minute},
		{unit, -5, 10 * time.Minute, 13 * time.Minute},
		{unit, 90, 90 * time.Second, 90*time.Second + 3*time.Minute},
		{unit, 1800, 30 * time.Minute, 33 * time.Minute},
		{unit, 7200, time.Hour, time.Hour + 3*time.Minute},
		{unit, 1 << 62, time.Hour, time.Hour + 3*time.Minute},
		{protocol.Row{Limit: 30 * time.Second}, 1800, 30 * time.Second, 30 * time.Second},
	} {
		run := protocol.Run{Limit: test.asks}
		if a, p := test.row.Allowed(run), test.row.Patience(run); a != test.allowed || p != test.patient {
			t.Errorf("%d s: allowed %s, waited for %s; want %s and %s", test.asks, a, p, test.allowed, test.patient)
		}
	}
}

func TestHardening(t *testing.T) {
	for _, test := range []struct {
		name string
		h    protocol.Hardening
		want []string
	}{
		{"unconfined", protocol.Hardening{Unconfined: "it installs packages", Writes: []string{"/etc"}}, nil},
		{"the default", protocol.Hardening{},
			[]string{"ProtectSystem=strict", "ProtectHome=read-only", "PrivateTmp=yes", "NoNewPrivileges=yes", "ReadWritePaths=-/var/lib/upkeep"}},
		{"kubeconfigs", protocol.Hardening{Writes: []string{"/etc/kubernetes"}, Home: true}.Also([]string{"/root/.kube", "/etc/kubernetes"}),
			[]string{"ProtectSystem=strict", "ProtectHome=no", "PrivateTmp=yes", "NoNewPrivileges=yes",
				"ReadWritePaths=-/var/lib/upkeep -/etc/kubernetes -/root/.kube"}},
	} {
		if diff := cmp.Diff(test.want, test.h.Properties()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", test.name, diff)
		}
	}
}

// A request as a part of a run carries the run, at the request's own step, and the time that it may take.
func TestRequestsNameTheirRun(t *testing.T) {
	run := protocol.Run{Lineage: "l", Generation: 4, Plan: "p", Limit: 90}
	for step, request := range map[string]protocol.Changing{
		"a": protocol.RenewRequest{Step: "a"}, "b": protocol.RepairRequest{Step: "b"}, "c": protocol.RestartRequest{Step: "c"},
		"undo m": protocol.UndoRequest{Mark: "m"},
	} {
		text, err := json.Marshal(request.InRun(run))
		if err != nil {
			t.Fatal(err)
		}
		var got struct{ Run protocol.Run }
		want := run
		want.Step = step
		if err := json.Unmarshal(text, &got); err != nil || got.Run != want || !got.Run.Named() {
			t.Errorf("%s: %+v, %v", text, got.Run, err)
		}
	}
}

// TestRequestsSayThingsOnce: what is checked and what is done must be the same reading of a request.
func TestRequestsSayThingsOnce(t *testing.T) {
	const method protocol.Method[protocol.TimerRequest, struct{}] = "timer"
	if q, err := method.Request([]byte(`{"namespace": "a", "name": "b"}`)); err != nil || q.Namespace != "a" || q.Name != "b" {
		t.Fatalf("%+v, %v", q, err)
	}
	for _, text := range []string{`{"namespace": "a", "name": "b", "name": "c"}`, `{"name": "b", "Name": "c"}`, `{"name": "b", "na\u006de": "c"}`, `{"name": "b"} {}`} {
		var refused *protocol.MisunderstoodError
		if q, err := method.Request([]byte(text)); !errors.As(err, &refused) {
			t.Errorf("%s: %+v, %v", text, q, err)
		}
	}
}
