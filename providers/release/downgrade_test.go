package release_test

import (
	"slices"
	"strings"
	"testing"

	"upkeep/fixtures/fakeprovider"
	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/release"
)

// TestDowngradeNeedsAWord: an older version is called a downgrade, and waits for a person's consent.
func TestDowngradeNeedsAWord(t *testing.T) {
	for _, test := range []struct {
		name, running, wanted string
		downgrade             bool
	}{
		{"an older version", "0.16.2", "0.15.0", true},
		{"a newer version", "0.15.0", "0.16.2", false},
		{"the newest of an older line", "0.16.2", "0.15", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := open(t)
			w.install(t, test.running, nil)
			s := w.spec(test.wanted, nil)
			world := w.observe(t, s)
			p, err := planner.Build(planner.Request{Desired: fakeprovider.Desired(s), World: world, Now: world.ObservedAt}, []providers.Type{release.Type()})
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Steps) != 1 || strings.HasPrefix(p.Steps[0].Summary, "downgrade ") != test.downgrade {
				t.Fatalf("steps are %+v", p.Steps)
			}
			if found := slices.Contains(ids(p.Findings), "CHART_DOWNGRADE nvidia-device-plugin"); found != test.downgrade {
				t.Errorf("findings are %v", ids(p.Findings))
			}
			if refused := len(p.Refusals) > 0 && strings.Contains(p.Refusals[0], "override='downgrade=REASON'"); refused != test.downgrade {
				t.Errorf("refusals are %v", p.Refusals)
			}
		})
	}
}

// TestPartialVersion: "0.16" is every 0.16.x, of which the newest that is not known to be bad is chosen.
func TestPartialVersion(t *testing.T) {
	w := open(t)
	w.install(t, "0.15.0", nil)
	s := w.spec("0.16", nil)
	p := w.plan(t, s)
	if len(p.Steps) != 1 || !strings.Contains(p.Steps[0].Summary, "nvidia-device-plugin-0.16.2") {
		t.Fatalf("steps are %+v", p.Steps)
	}
	if !strings.Contains(p.Steps[0].Why[0], `0.16.2, the newest that "0.16" allows`) {
		t.Errorf("because %q", p.Steps[0].Why)
	}
	w.execute(t, p, s)
	if again := w.plan(t, s); len(again.Steps) > 0 {
		t.Errorf("afterwards a plan has %v", operationsOf(again))
	}
	const block = "helm_release \"a\" {\n release = \"a\"\n namespace = \"a\"\n chart {\n repository = \"https://charts.example.net\"\n name = \"nvidia-device-plugin\"\n version = \"0.16\"\n }\n}\n"
	if _, said := read(t, block); len(said) > 0 {
		t.Errorf("the block is read with %q", said)
	}
}

// TestChartCredentials: credentials come from arguments of their own, and never from an address.
func TestChartCredentials(t *testing.T) {
	block := func(repository, more string) string {
		return secretVariable + "helm_release \"a\" {\n release = \"a\"\n namespace = \"a\"\n chart {\n repository = \"" + repository +
			"\"\n name = \"plugin\"\n version = \"1.0.0\"\n" + more + "\n }\n}\n"
	}
	const both = "username = \"ci\"\n password = var.secret"
	s, said := read(t, block("https://charts.example.net", both))
	if len(said) > 0 {
		t.Fatal(said)
	}
	if a := s.Chart.Access; a == nil || a.Username != "ci" || a.Password.Reveal() != "canary-secret" || a.Repository != "https://charts.example.net" || !s.Chart.Source.Private {
		t.Errorf("the block has %+v of %+v", a, s.Chart.Source)
	}
	for _, test := range []struct{ name, repository, more, want string }{
		{"a password in the address", "https://ci:canary-hunter2@charts.example.net", "", `username = "NAME" and password = var.NAME`},
		{"a user in the address", "https://ci@charts.example.net", "", "Credentials in a URL"},
		{"an address that cannot be read", "https://ci:canary-hunter2%zz@charts.example.net", "", "Credentials in a URL"},
		{"no password", "https://charts.example.net", `username = "ci"`, "belong together"},
		{"no user", "https://charts.example.net", `password = var.secret`, "belong together"},
		{"no TLS", "http://charts.example.net", both + "\n insecure = true", "in the clear"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, said := read(t, block(test.repository, test.more))
			all := strings.Join(said, "\n")
			if !strings.Contains(all, test.want) || strings.Contains(all, "canary") {
				t.Errorf("%s, want %q", all, test.want)
			}
		})
	}
}
