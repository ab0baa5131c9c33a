package helm_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
	"upkeep/providers/helm/fakehelm"
)

// A change of a price alone restarts the provider, or does not: by the chart's version.
func TestPriceChangeRolls(t *testing.T) {
	server := repository(t)
	for _, test := range []struct {
		version string
		changes []string
		rolls   bool
	}{
		{"6.0.4", nil, false},
		{"6.0.5", []string{"StatefulSet"}, true},
		{"9.2.2", []string{"ConfigMap", "StatefulSet"}, true},
		{"11.6.3", []string{"ConfigMap", "StatefulSet"}, true},
		{"11.6.4", []string{"ConfigMap"}, false},
		{"12.1.2", []string{"ConfigMap"}, false},
		{"12.1.3", []string{"ConfigMap", "StatefulSet"}, true},
		{"15.0.0", []string{"ConfigMap", "StatefulSet"}, true},
	} {
		t.Run(test.version, func(t *testing.T) {
			fake := fakehelm.New()
			install(t, fake, server, test.version, map[string]any{"price_target_cpu": "1.60"})
			q := question()
			q.Offer = &facts.OfferQuestion{Source: provider(server), Constraint: test.version, Preview: true, Values: map[string]any{"price_target_cpu": "2.00"}}
			preview := fake.Observe(context.Background(), q, mac).Offer.Preview
			if preview.Unknown != "" {
				t.Fatal(preview.Unknown)
			}
			var changes []string
			for _, o := range preview.Objects {
				if o.Action != "update" {
					t.Errorf("%+v", o)
				}
				changes = append(changes, o.Kind)
			}
			if diff := cmp.Diff(test.changes, changes); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
			if got := len(preview.Rolls) > 0; got != test.rolls {
				t.Errorf("rolls %v, want %v", preview.Rolls, test.rolls)
			}
		})
	}
}

func TestPreview(t *testing.T) {
	server := repository(t)
	for _, test := range []struct {
		name     string
		from, to string
		values   map[string]any
		want     func(*testing.T, facts.ChartOffer)
	}{
		{"nothing changes", "9.2.2", "9.2.2", nil, func(t *testing.T, o facts.ChartOffer) {
			if len(o.Preview.Objects) != 0 || len(o.Preview.Rolls) != 0 || len(o.Preview.Forbidden) != 0 {
				t.Errorf("%+v", o.Preview)
			}
		}},
		{"a volume claim template is forbidden in place", "11.6.4", "12.0.0", nil, func(t *testing.T, o facts.ChartOffer) {
			if diff := cmp.Diff([]string{"StatefulSet akash-provider: spec.volumeClaimTemplates"}, o.Preview.Forbidden); diff != "" {
				t.Errorf("forbidden (-want +got):\n%s", diff)
			}
		}},
		{"a kind that the cluster lacks", "15.0.0", "16.0.0", nil, func(t *testing.T, o facts.ChartOffer) {
			if diff := cmp.Diff([]string{"gateway.networking.k8s.io/v1 HTTPRoute"}, o.Preview.Absent); diff != "" {
				t.Errorf("absent (-want +got):\n%s", diff)
			}
		}},
		{"renamed objects come and go", "6.0.5", "9.2.2", nil, func(t *testing.T, o facts.ChartOffer) {
			got := map[string]string{}
			for _, change := range o.Preview.Objects {
				got[change.Kind+" "+change.Name] = change.Action
			}
			want := map[string]string{
				"ConfigMap akash-provider-bidscripts": "delete", "ConfigMap akash-provider-boot": "delete",
				"ConfigMap akash-provider-main": "create", "ConfigMap akash-provider-pricing": "create", "ConfigMap akash-provider-script": "create",
				"StatefulSet akash-provider": "update",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
		}},
		{"the number 0 is dropped", "9.2.2", "9.2.2", map[string]any{"price_target_endpoint": 0}, func(t *testing.T, o facts.ChartOffer) {
			if len(o.Preview.Objects) != 0 {
				t.Errorf("%+v", o.Preview.Objects)
			}
		}},
		{"the text 0 is not", "9.2.2", "9.2.2", map[string]any{"price_target_endpoint": "0"}, func(t *testing.T, o facts.ChartOffer) {
			if diff := cmp.Diff([]facts.FieldDifference{{Path: "data.PRICE_TARGET_ENDPOINT", Rendered: "0"}}, o.Preview.Objects[0].Differences); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}},
		{"a large number reads as an exponent", "9.2.2", "9.2.2", map[string]any{"price_target_ip": 1000000}, func(t *testing.T, o facts.ChartOffer) {
			if diff := cmp.Diff([]facts.FieldDifference{{Path: "data.PRICE_TARGET_IP", Rendered: "1e+06"}}, o.Preview.Objects[0].Differences); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}},
		{"the digest is of what was fetched", "9.2.2", "12.1.3", nil, func(t *testing.T, o facts.ChartOffer) {
			if want := digestOf(t, "provider", "12.1.3"); o.Digest != want || o.Chosen.Digest != want {
				t.Errorf("%s and %s, want %s", o.Digest, o.Chosen.Digest, want)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			fake := fakehelm.New()
			install(t, fake, server, test.from, map[string]any{"price_target_cpu": "1.60"})
			q := question()
			q.Offer = &facts.OfferQuestion{Source: provider(server), Constraint: test.to, Preview: true, Values: test.values}
			offer := fake.Observe(context.Background(), q, mac).Offer
			if offer.Unknown+offer.ChosenUnknown != "" || offer.Preview.Unknown != "" {
				t.Fatalf("%+v", offer)
			}
			test.want(t, *offer)
		})
	}
}

func TestPreviewTellsWhatUpgradeDoes(t *testing.T) {
	ctx, fake, server := context.Background(), fakehelm.New(), repository(t)
	u := install(t, fake, server, "6.0.5", map[string]any{"price_target_cpu": "1.60", "from": "akash1abc"})
	q := question()
	q.Offer = &facts.OfferQuestion{Source: provider(server), Constraint: "9.2.2", Preview: true, Values: map[string]any{"price_target_cpu": "2"}, Remove: []string{"from"}}
	preview := fake.Observe(ctx, q, mac).Offer.Preview
	u.Version, u.Values, u.Remove = "9.2.2", q.Offer.Values, q.Offer.Remove
	if _, err := fake.Upgrade(ctx, u, nil); err != nil {
		t.Fatal(err)
	}
	after := fake.Observe(ctx, q, mac)
	if diff := cmp.Diff(preview.Values, after.Values); diff != "" {
		t.Errorf("values (-previewed +real):\n%s", diff)
	}
	if len(after.Offer.Preview.Objects) != 0 || len(after.Objects) != 0 {
		t.Errorf("after the upgrade something is left: %+v, %+v", after.Offer.Preview.Objects, after.Objects)
	}
}

func TestOfferIsUnknownWithItsReason(t *testing.T) {
	server := repository(t)
	for _, test := range []struct {
		name  string
		offer facts.OfferQuestion
		want  string
		at    func(facts.ChartOffer) string
	}{
		{"no answer", facts.OfferQuestion{Source: facts.ChartSource{Repository: "http://127.0.0.1:1", Name: "provider"}}, "connection refused", func(o facts.ChartOffer) string { return o.Unknown }},
		{"no such chart", facts.OfferQuestion{Source: facts.ChartSource{Repository: server.URL, Name: "porvider"}}, `no chart "porvider"`, func(o facts.ChartOffer) string { return o.Unknown }},
		{"no such version", facts.OfferQuestion{Source: provider(server), Constraint: ">= 99"}, "it has 20.0.0-rc0, 19.0.2,", func(o facts.ChartOffer) string { return o.ChosenUnknown }},
		{"another digest", facts.OfferQuestion{Source: provider(server), Constraint: "9.2.2", Preview: true, SHA256: "abc"}, digestOf(t, "provider", "9.2.2"), func(o facts.ChartOffer) string { return o.Preview.Unknown }},
		{"a chart that does not render", facts.OfferQuestion{Source: provider(server), Constraint: "9.2.2", Preview: true, Values: map[string]any{"image": "text"}}, "image", func(o facts.ChartOffer) string { return o.Preview.Unknown }},
	} {
		t.Run(test.name, func(t *testing.T) {
			q := question()
			q.Offer = &test.offer
			got := fakehelm.New().Observe(context.Background(), q, mac)
			if got.Unknown != "" || !got.Missing || !strings.Contains(test.at(*got.Offer), test.want) {
				t.Errorf("got %+v with %+v; want %q", got.Offer, got.Offer.Preview, test.want)
			}
		})
	}
}

func TestOfferChoosesPastKnownBadVersions(t *testing.T) {
	server := repository(t)
	q := facts.ReleaseQuestion{Namespace: "nvidia-device-plugin", Name: "nvdp", Offer: &facts.OfferQuestion{
		Source:     facts.ChartSource{Repository: server.URL, Name: "nvidia-device-plugin"},
		Constraint: "<= 0.16.1",
		Exclude:    []string{"0.16.0", "0.16.1"},
	}}
	offer := fakehelm.New().Observe(context.Background(), q, mac).Offer
	if offer.Chosen.Version != "0.15.0" || offer.Newest != "0.16.2" {
		t.Errorf("chosen %q, newest %q", offer.Chosen.Version, offer.Newest)
	}
}

// TestOfferKeepsWhatRuns: a newer version is chosen only where the question does not ask to keep what fits.
func TestOfferKeepsWhatRuns(t *testing.T) {
	fake, server := fakehelm.New(), repository(t)
	install(t, fake, server, "9.2.2", nil)
	q := question()
	q.Offer = &facts.OfferQuestion{Source: provider(server), Constraint: ">= 6, < 12", Keep: true, Preview: true}
	if offer := fake.Observe(context.Background(), q, mac).Offer; offer.Chosen.Version != "9.2.2" || offer.Preview.Chart.Version != "9.2.2" {
		t.Errorf("chosen %q, rendered %q", offer.Chosen.Version, offer.Preview.Chart.Version)
	}
	q.Offer.Keep = false
	if offer := fake.Observe(context.Background(), q, mac).Offer; offer.Chosen.Version != "11.6.4" {
		t.Errorf("chosen %q", offer.Chosen.Version)
	}
}
