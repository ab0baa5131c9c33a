package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/providers"
)

const repository = "../.."

// fresh compares the pages of a folder with what they must be; a file too many is an error too.
func fresh(t *testing.T, folder string, pages map[string][]byte) {
	t.Helper()
	folder = filepath.Join(repository, folder)
	if *update {
		for name, page := range pages {
			if err := os.WriteFile(filepath.Join(folder, name), page, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, want := range pages {
		got, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Errorf("%v; write it with: go test ./cmd/upkeep -update", err)
			continue
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is stale; write it with: go test ./cmd/upkeep -update (-want +got)\n%s", filepath.Join(folder, name), diff)
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if pages[entry.Name()] == nil {
			t.Errorf("%s is about nothing that upkeep has; remove it", filepath.Join(folder, entry.Name()))
		}
	}
}

func TestReferenceIsFresh(t *testing.T) {
	fresh(t, "docs/reference", config.ReferencePages(blockTypes(domains())))
}

func TestFindingsAreDocumented(t *testing.T) {
	docs := findingDocs(domains())
	pages := map[string][]byte{}
	documented := map[string]providers.FindingDoc{}
	var index bytes.Buffer
	index.WriteString("<!-- Generated from the findings of the program; change them there, not here. -->\n\n# Findings\n\n" +
		"What `upkeep plan` and `upkeep drift` can find. The words are stable: alerts and `ignore` blocks may rely on them.\n\n| Finding | |\n|---|---|\n")
	for _, doc := range docs {
		if first, twice := documented[doc.ID]; twice {
			// Two domains may find the same thing: then they say the same about it.
			if diff := cmp.Diff(first, doc); diff != "" {
				t.Errorf("%s is documented in two ways (-first +second):\n%s", doc.ID, diff)
			}
			continue
		}
		documented[doc.ID] = doc
		pages[doc.ID+".md"] = findingPage(doc)
		fmt.Fprintf(&index, "| [`%s`](%s.md) | %s. |\n", doc.ID, doc.ID, doc.Title)
	}
	pages["README.md"] = index.Bytes()
	fresh(t, "docs/findings", pages)
}

func findingPage(doc providers.FindingDoc) []byte {
	return fmt.Appendf(nil, "# %s\n\n%s.\n\n## What it means\n\n%s\n\n## What to do\n\n%s\n", doc.ID, doc.Title, doc.Meaning, doc.Remedy)
}

// texts returns every page that people read, by its path.
func texts(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(repository, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && (name == "testdata" || name == "bin" || strings.HasPrefix(name, ".") && path != repository) {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".md") {
			data, err := os.ReadFile(path)
			out[path] = string(data)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 20 {
		t.Fatalf("found only %d pages: the walk is broken", len(out))
	}
	return out
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	for path, text := range texts(t) {
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			target, _, _ := strings.Cut(match[1], "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), target)); err != nil {
				t.Errorf("%s links to %s: %v", path, match[1], err)
			}
		}
	}
}

var (
	fence   = regexp.MustCompile("(?s)```hcl\n(.*?)```")
	command = regexp.MustCompile("upkeep ([a-z][a-z-]+)(?: (-[a-z-]+))?")
)

const definitionExample = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: manifests.akash.network
spec:
  group: akash.network
  scope: Namespaced
  names:
    plural: manifests
    singular: manifest
    kind: Manifest
    listKind: ManifestList
  versions:
    - name: v2beta2
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
`

// TestExamplesAreValid: what README and the how-to pages tell people to write is accepted.
func TestExamplesAreValid(t *testing.T) {
	checked := 0
	for path, text := range texts(t) {
		if strings.Contains(path, "docs/reference") {
			continue // fragments; package config checks them
		}
		for i, match := range fence.FindAllStringSubmatch(text, -1) {
			directory := t.TempDir()
			if err := os.WriteFile(filepath.Join(directory, "example.upkeep.hcl"), []byte(match[1]), 0o644); err != nil {
				t.Fatal(err)
			}
			// The files that examples name are their reader's own.
			for name, text := range map[string]string{"price_script_generic.sh": "#!/bin/bash\n", "crd.yaml": definitionExample} {
				if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if _, _, diags := config.Load(directory, config.Options{Types: blockTypes(domains()), Environ: []string{"HOME=/home/ops"}, Version: version}); diags.HasErrors() {
				t.Errorf("%s, example %d: %v", path, i+1, diags)
			}
			if formatted := string(config.Format([]byte(match[1]))); formatted != match[1] {
				t.Errorf("%s, example %d is not formatted:\n%s", path, i+1, formatted)
			}
			checked++
		}
	}
	if checked < 2 {
		t.Errorf("only %d examples were found", checked)
	}
}

// TestCommandsInPagesExist: commands and flags in indented or quoted code of the pages are there.
func TestCommandsInPagesExist(t *testing.T) {
	root := app(environment{})
	code := regexp.MustCompile("(?m)`(upkeep [^`\n]+)`|^    (?:sudo )?(upkeep .*)$")
	checked := 0
	for path, text := range texts(t) {
		for _, match := range code.FindAllStringSubmatch(text, -1) {
			words := command.FindStringSubmatch(match[1] + match[2])
			if words == nil {
				continue
			}
			checked++
			found := root.Command(words[1])
			if found == nil {
				t.Errorf("%s: %q: there is no command %s", path, match[0], words[1])
				continue
			}
			names := map[string]bool{}
			for _, flag := range found.Flags {
				names["-"+flag.Names()[0]] = true
			}
			if words[2] != "" && !names[words[2]] {
				t.Errorf("%s: %q: %s has no flag %s", path, match[0], words[1], words[2])
			}
		}
	}
	if checked < 10 {
		t.Errorf("only %d commands were found", checked)
	}
}
