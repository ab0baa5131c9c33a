package akash_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/fakeprovider"
	"upkeep/providers"
	"upkeep/providers/akash"
	"upkeep/providers/facts"
)

const (
	mtls   = "provider.example.com:8443 without a name"
	grpc   = "provider.example.com:8444 without a name"
	web    = "provider.example.com:8443"
	tenant = "upkeep-check.ingress.example.com:443"
)

// lasting is what a port serves, with a certificate of 90 days that ends after a time.
func lasting(left time.Duration) facts.Public {
	return facts.Public{Addresses: []string{"203.0.113.7"}, Blocks: []facts.Certificate{{
		Serial: "01", SHA256: "aa", NotBefore: clock.Add(left - 90*24*time.Hour), NotAfter: clock.Add(left),
	}}}
}

// tenantsSee is a healthy world whose block names a domain.
func tenantsSee(t *testing.T) (*fakeprovider.World, akash.Spec) {
	w, s := healthy(t)
	s.Domain = "example.com"
	w.Public = map[string]facts.Public{}
	for _, key := range []string{mtls, grpc, web, tenant} {
		w.Public[key] = lasting(60 * 24 * time.Hour)
	}
	return w, s
}

// seen is what is known of a world.
func seen(t *testing.T, w *fakeprovider.World, s akash.Spec) providers.Input {
	return providers.Input{
		World: w.World(t.Context(), s), Now: clock, Inventory: w.Inventory(),
		Resources: map[providers.Address]providers.Resource{s.Address(): s},
	}
}

func TestWhatTenantsSee(t *testing.T) {
	const day = 24 * time.Hour
	serve := func(key string, p facts.Public) func(*facts.World) {
		return func(w *facts.World) { w.Public[key] = p }
	}
	untrusted := lasting(60 * day)
	untrusted.Untrusted = "x509: certificate signed by unknown authority"
	at := func(left time.Duration) string { return clock.Add(left).UTC().Format(time.RFC3339) }
	tests := []struct {
		name   string
		change func(*facts.World)
		want   []string
		steps  []string
	}{
		{name: "all is well", change: func(*facts.World) {}},
		{
			name: "the provider's own certificate with seven days", change: serve(mtls, lasting(7*day)),
			want:  []string{"PROVIDER_CERT_RESTART_DUE warning " + mtls + ": expires in 7d (" + at(7*day) + ")"},
			steps: []string{"restart the provider, which renews its certificate"},
		},
		{name: "and with a second more", change: serve(mtls, lasting(7*day+time.Second))},
		{
			name: "in its last hour", change: serve(mtls, lasting(time.Hour)),
			want:  []string{"PROVIDER_CERT_RESTART_DUE error " + mtls + ": expires in 1h (" + at(time.Hour) + ")"},
			steps: []string{"restart the provider, which renews its certificate"},
		},
		{
			name: "expired", change: serve(mtls, lasting(-time.Hour)),
			want:  []string{"PROVIDER_CERT_RESTART_DUE error " + mtls + ": expired (" + at(-time.Hour) + ")"},
			steps: []string{"restart the provider, which renews its certificate"},
		},
		{
			name: "the certificate of the gateway was not renewed", change: serve(web, lasting(10*day)),
			want: []string{"PROVIDER_GATEWAY_CERT warning " + web + ": expires in 10d (" + at(10*day) + ") and was not renewed"},
		},
		{
			name: "tenants do not trust the gateway", change: serve(web, untrusted),
			want: []string{"PROVIDER_GATEWAY_CERT error " + web + `: clients do not trust the certificate: "x509: certificate signed by unknown authority"`},
		},
		{
			name: "the wildcard has expired", change: serve(tenant, lasting(-day)),
			want: []string{"PROVIDER_INGRESS_CERT error " + tenant + ": expired (" + at(-day) + ")"},
		},
		{
			name: "a port that cannot be reached from here", change: serve(grpc, facts.Public{Addresses: []string{"203.0.113.7"}, Unknown: "connection refused"}),
			want: []string{"PROVIDER_PUBLIC_UNKNOWN error " + grpc + `: its certificate could not be asked for from here: "connection refused" (unknown)`},
		},
		{
			name: "facts of an older upkeep", change: func(w *facts.World) { delete(w.Public, web) },
			want: []string{"PROVIDER_PUBLIC_UNKNOWN error " + web + ": its certificate could not be asked for from here: not asked (unknown)"},
		},
		{
			name: "a name without an address", change: serve(tenant, facts.Public{NoSuchName: true, Unknown: "the name has no address"}),
			want: []string{"PROVIDER_DNS_WRONG error upkeep-check.ingress.example.com: the name service has no address for the name, so tenants cannot reach it"},
		},
		{
			name: "a name that leads to a node that is down", change: func(w *facts.World) {
				w.Kubernetes.Nodes = append(slices.Clone(w.Kubernetes.Nodes), facts.KubernetesNode{Name: "gone", Addresses: map[string]string{"ExternalIP": "203.0.113.7"}})
			},
			want: []string{
				"PROVIDER_DNS_WRONG error provider.example.com: leads to 203.0.113.7 (node gone), which is not Ready",
				"PROVIDER_DNS_WRONG error upkeep-check.ingress.example.com: leads to 203.0.113.7 (node gone), which is not Ready",
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w, s := tenantsSee(t)
			in := seen(t, w, s)
			in.World = in.World.Clone()
			test.change(&in.World)
			out := s.Diff(in)
			var got, steps []string
			for _, f := range out.Findings {
				if !strings.HasPrefix(f.ID, "PROVIDER_") || f.ID == "PROVIDER_ENVIRONMENT_UNKNOWN" {
					continue
				}
				unknown := ""
				if f.Unknown {
					unknown = " (unknown)"
				}
				got = append(got, fmt.Sprintf("%s %s %s: %s%s", f.ID, f.Severity, f.Object, f.Summary, unknown))
			}
			for _, step := range out.Steps {
				steps = append(steps, step.Summary)
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(test.steps, steps); d != "" {
				t.Error(d)
			}
		})
	}
}

// A restart for the certificate is disruptive, settles, and is proved by what port 8443 serves.
func TestARestartForTheCertificateIsProved(t *testing.T) {
	w, s := tenantsSee(t)
	w.Public[mtls] = lasting(3 * 24 * time.Hour)
	in := seen(t, w, s)
	out := s.Diff(in)
	if len(out.Steps) != 1 || out.Steps[0].Disruption == "" || out.Steps[0].Operation != akash.OperationRestart {
		t.Fatalf("%+v", out.Steps)
	}
	step, effect := out.Steps[0], akash.Type().Effects[akash.OperationRestart]
	if d := cmp.Diff([]facts.PublicQuestion{
		{Host: "provider.example.com", Port: 8443, Anonymous: true}, {Host: "provider.example.com", Port: 8444, Anonymous: true},
	}, effect.Needs(in, step).Public); d != "" {
		t.Error(d)
	}
	after := in
	after.World = in.World.Clone()
	after.World.Apply(effect.Predict(in, step))
	left := s.Diff(after)
	if due := func(f providers.Finding) bool { return f.ID == "PROVIDER_CERT_RESTART_DUE" }; len(left.Steps) > 0 || slices.ContainsFunc(left.Findings, due) {
		t.Errorf("left %+v, %+v", left.Steps, left.Findings)
	}
	if run := effect.ByHand(in, step)[1].Run; !strings.Contains(run, "openssl s_client -connect provider.example.com:8443 -noservername") {
		t.Errorf("by hand: %s", run)
	}
	for name, test := range map[string]struct {
		serves facts.Public
		want   string
	}{
		"the old one":          {w.Public[mtls], "still serves the certificate 01"},
		"nothing":              {facts.Public{Unknown: "connection refused"}, `could not be asked after the restart: "connection refused"`},
		"a new one, due again": {facts.Public{Blocks: []facts.Certificate{{SHA256: "bb", NotAfter: clock.Add(time.Hour)}}}, "serves a new certificate that ends"},
		"a new one":            {facts.Public{Blocks: []facts.Certificate{{SHA256: "bb", NotAfter: clock.Add(8760 * time.Hour)}}}, ""},
	} {
		looked := after
		looked.World = after.World.Clone()
		looked.World.Public[mtls] = test.serves
		err := effect.Proved(in, looked, step)
		if test.want == "" && err != nil && strings.Contains(err.Error(), "certificate") || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is due by time alone is due at the very second that the outcome names.
func TestTheCertificateIsDueWhenTheOutcomeSays(t *testing.T) {
	w, s := tenantsSee(t)
	in := seen(t, w, s)
	until := providers.Review(s, in).Until
	if want := clock.Add(53 * 24 * time.Hour); !until.Equal(want) && until.After(want) {
		t.Errorf("until %s, and the certificate is due at %s", until, want)
	}
	for range 3 { // the other certificates come first
		if in.Now = providers.Review(s, in).Until; in.Now.Equal(clock.Add(53 * 24 * time.Hour)) {
			break
		}
	}
	due := false
	for _, f := range s.Diff(in).Findings {
		due = due || f.ID == "PROVIDER_CERT_RESTART_DUE"
	}
	if !due {
		t.Errorf("at %s nothing is due", in.Now)
	}
}
