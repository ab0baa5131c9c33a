package text

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/planner/report"
	"upkeep/providers"
)

func TestSince(t *testing.T) {
	now := time.Date(2026, 11, 28, 9, 0, 30, 0, time.UTC)
	for name, test := range map[string]struct {
		ago  time.Duration
		want string
	}{
		"now":           {0, ""},
		"in the future": {-time.Hour, ""},
		"a minute":      {time.Minute, "first seen 1 minute ago (2026-11-28 08:59 UTC)"},
		"hours":         {47 * time.Hour, "first seen 47 hours ago (2026-11-26 10:00 UTC)"},
		"days":          {72 * time.Hour, "first seen 3 days ago (2026-11-25 09:00 UTC)"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := since(now.Add(-test.ago), now); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
	if got := since(time.Time{}, now); got != "" {
		t.Errorf("not known: %q", got)
	}
}

func TestDriftSaysSinceWhen(t *testing.T) {
	now := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	at := func(node string) providers.Address {
		return providers.Address{Type: "certificates", Name: "control_plane", Node: node}
	}
	find := func(node, object string) report.DriftFinding {
		return report.DriftFinding{Finding: providers.Finding{ID: "CERT_EXPIRES_SOON", Severity: providers.SeverityWarning, Address: at(node), Object: object, Summary: "12d left"}}
	}
	d := report.DriftJSON{ObservedAt: now, Status: "drift", Findings: []report.DriftFinding{find("cp1", "apiserver\x1b"), find("cp2", "apiserver\x1b"), find("cp1", "new")}}
	d = d.WithFirstSeen(func(f providers.Finding) time.Time {
		switch {
		case f.Object == "new":
			return now
		case f.Address.Node == "cp1":
			return now.Add(-5 * time.Hour)
		}
		return now.Add(-72 * time.Hour)
	})
	var text strings.Builder
	if err := Drift(&text, d, Run{}, Style{Verbose: true}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(text.String(), "first seen"); n != 2 {
		t.Errorf("%d of two old findings say since when:\n%s", n, text.String())
	}
	data, err := json.Marshal(d.Findings[0])
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), `"id":"CERT_EXPIRES_SOON"`) || !strings.Contains(string(data), `"first_seen":"2026-11-28T04:00:00Z"`) {
		t.Errorf("%s", data)
	}
}

func TestStatusSaysSinceWhen(t *testing.T) {
	now := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	cp1 := providers.Address{Type: "certificates", Name: "control_plane", Node: "cp1"}
	s := report.StatusJSON{ObservedAt: now, Objects: []report.Object{
		{Address: cp1, Node: "cp1", Name: "apiserver", Status: "due"}, {Address: cp1, Node: "cp1", Name: "sa", Status: "ok"}, {Address: cp1, Node: "cp1", Name: "other", Status: "problem"},
	}}
	findings := []providers.Finding{{ID: "A", Address: cp1, Object: "apiserver"}, {ID: "B", Address: cp1, Object: "apiserver"}, {ID: "N", Address: cp1, Object: "sa"}}
	s = s.WithFirstSeen(findings, func(f providers.Finding) time.Time {
		return map[string]time.Time{"A": now.Add(-time.Hour), "B": now.Add(-72 * time.Hour), "N": now.Add(-time.Hour)}[f.ID]
	})
	var got []string
	for _, o := range s.Objects {
		got = append(got, since(o.FirstSeen, now))
	}
	if diff := cmp.Diff([]string{"first seen 3 days ago (2026-11-25 09:00 UTC)", "", ""}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var text strings.Builder
	if err := Status(&text, s, Run{}, Style{}); err != nil || !strings.Contains(text.String(), "first seen 3 days ago") {
		t.Errorf("%v\n%s", err, text.String())
	}
}
