package akash_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upkeep/config"
	"upkeep/fixtures/fakeprovider"
	"upkeep/fixtures/notscripts"
	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/akash"
	"upkeep/providers/akash/price"
	"upkeep/providers/akash/script"
	"upkeep/providers/facts"
)

// A text that is no bid price script is refused wherever a script enters, and the words say what the text is.
func TestNotScripts(t *testing.T) {
	for _, test := range notscripts.All() {
		t.Run(test.Name, func(t *testing.T) {
			t.Run("in a file", func(t *testing.T) { refusedInFile(t, test) })
			t.Run("behind a URL", func(t *testing.T) { refusedBehindURL(t, test) })
			t.Run("in the place of a published script", func(t *testing.T) { refusedAsPublished(t, test) })
			t.Run("in the release", func(t *testing.T) { reportedInRelease(t, test) })
		})
	}
}

func refusedInFile(t *testing.T, text notscripts.Text) {
	directory := t.TempDir()
	block := "akash_provider \"main\" {\n" + chart + "\nbid_script {\n file = \"script.sh\"\n}\n}\n"
	for name, data := range map[string]string{"a.upkeep.hcl": block, "script.sh": text.Body} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, _, diags := config.Load(directory, config.Options{Types: []config.BlockType{akash.Type().BlockType}})
	for _, d := range diags {
		if d.Summary == "Unusable script" && strings.Contains(d.Detail, text.Says) {
			return
		}
	}
	t.Errorf("the configuration is read: %v", diags)
}

func refusedBehindURL(t *testing.T, text notscripts.Text) {
	w, declared := healthy(t)
	const url = "https://example.net/script.sh"
	declared.Script = &akash.Script{URL: url, SHA256: sha256Of(text.Body), ReplaceCustomised: true}
	world := w.World(context.Background(), declared)
	world.Downloads = map[string]facts.Download{url: {SHA256: sha256Of(text.Body), Text: text.Body}}
	p := planned(t, world, declared)
	if len(p.Steps) > 0 {
		t.Errorf("there are steps: %v", operationsOf(p))
	}
	wantUnusable(t, p, text)
}

// Another text than the published one has another digest, and the finding says what the text is.
func refusedAsPublished(t *testing.T, text notscripts.Text) {
	w, declared := healthy(t)
	published, _ := script.PublishedAs(price.Newest)
	declared.Script = &akash.Script{Published: price.Newest, URL: published.URL(), SHA256: published.SHA256, ReplaceCustomised: true}
	world := w.World(context.Background(), declared)
	world.Downloads = map[string]facts.Download{published.URL(): {SHA256: sha256Of(text.Body), Text: text.Body}}
	p := planned(t, world, declared)
	if len(p.Steps) > 0 {
		t.Errorf("there are steps: %v", operationsOf(p))
	}
	for _, f := range p.Findings {
		if f.ID == "BID_SCRIPT_DIGEST" && strings.Contains(f.Summary, text.Says) {
			return
		}
	}
	t.Errorf("nothing says %q: %+v", text.Says, p.Findings)
}

func reportedInRelease(t *testing.T, text notscripts.Text) {
	if text.Body == "" {
		return // a release without a script prices by scale: BID_SCRIPT_MISSING
	}
	w, declared := healthy(t)
	world := w.World(context.Background(), declared)
	release := *world.Releases["akash-services/akash-provider"]
	release.Values = map[string]any{"price_target_cpu": 1.6, "price_target_memory": "0.8", "price_target_gpu_mappings": "t4=80,a100=120"}
	release.Values["bidpricescript"] = base64.StdEncoding.EncodeToString([]byte(text.Body))
	world.Releases["akash-services/akash-provider"] = &release
	wantUnusable(t, planned(t, world, declared), text)
	// A script that can run may take its place: nothing is lost.
	declared.Script = &akash.Script{File: "a", Text: fakeprovider.Script(price.Newest)}
	p := planned(t, world, declared)
	wantUnusable(t, p, text)
	if operations := operationsOf(p); len(operations) == 0 {
		t.Errorf("no upgrade is planned: %+v", p.Findings)
	}
}

func planned(t *testing.T, world facts.World, declared providers.Resource) planner.Plan {
	t.Helper()
	p, err := planner.Build(planner.Request{Desired: fakeprovider.Desired(declared), World: world, Now: clock}, types())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func wantUnusable(t *testing.T, p planner.Plan, text notscripts.Text) {
	t.Helper()
	for _, f := range p.Findings {
		if f.ID == "BID_SCRIPT_UNUSABLE" && f.Severity == providers.SeverityError && strings.Contains(f.Summary, text.Says) {
			return
		}
	}
	t.Errorf("nothing says %q: %+v", text.Says, p.Findings)
}

// A value that is not base64 is run by the chart as an error text.
func TestReleaseScriptWithoutEncoding(t *testing.T) {
	w, declared := healthy(t)
	world := w.World(context.Background(), declared)
	world.Releases["akash-services/akash-provider"].Values["bidpricescript"] = "#!/bin/bash\necho 5\n"
	wantUnusable(t, planned(t, world, declared), notscripts.Text{Says: "its value bidpricescript is not base64"})
}

func sha256Of(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
