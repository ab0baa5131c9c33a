package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/docs/findings"
	"upkeep/fixtures/notscripts"
	"upkeep/planner"
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
	fresh(t, "docs/reference", config.ReferencePages(planner.BlockTypes(domains())))
}

// TestFindingsAreDocumented: each finding that is declared has a page, each page is about one, and the index lists them all.
// Package findings holds that the pages have their form.
func TestFindingsAreDocumented(t *testing.T) {
	declared := map[string]providers.FindingDoc{}
	for _, doc := range findingDocs(domains()) {
		// Two domains may find the same thing: then they say the same about it.
		if first, twice := declared[doc.ID]; twice && first != doc {
			t.Errorf("%s is declared in two ways: %+v and %+v", doc.ID, first, doc)
		}
		if !slices.Contains(providers.Classes(), doc.Class) {
			t.Errorf("%s has the class %q, which there is not", doc.ID, doc.Class)
		}
		declared[doc.ID] = doc
	}
	for _, domain := range domains() {
		ids := map[string]bool{}
		for _, doc := range domain.Findings {
			if ids[doc.ID] {
				t.Errorf("%s declares %s twice", domain.Name, doc.ID)
			}
			ids[doc.ID] = true
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(declared)), findings.IDs()); diff != "" {
		t.Errorf("declared findings and pages in docs/findings (-declared +page):\n%s", diff)
	}
	const name = "docs/findings/README.md"
	got, err := os.ReadFile(filepath.Join(repository, name))
	if err != nil {
		t.Fatal(err)
	}
	index := findingIndex(t)
	if *update {
		if err := os.WriteFile(filepath.Join(repository, name), []byte(index), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(index, string(got)); diff != "" {
		t.Errorf("%s is stale; write it with: go test ./cmd/upkeep -update (-want +got)\n%s", name, diff)
	}
}

// findingIndex lists the pages, by their titles.
func findingIndex(t *testing.T) string {
	t.Helper()
	var index strings.Builder
	index.WriteString("<!-- Generated from the pages in this directory; change those pages, not this file. -->\n\n# Findings\n\n" +
		"What `upkeep plan` and `upkeep drift` can find. The words are stable: alerts and `ignore` blocks may rely on them.\n" +
		"`upkeep explain FINDING` prints a page in the terminal.\n\n| Finding | |\n|---|---|\n")
	for _, id := range findings.IDs() {
		page, err := findings.Page(id)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&index, "| [`%s`](%s.md) | %s |\n", id, id, page.Title)
	}
	return index.String()
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
			for name, text := range map[string]string{"price_script_generic.sh": notscripts.Good, "crd.yaml": definitionExample} {
				if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if _, _, diags := config.Load(directory, config.Options{Types: planner.BlockTypes(domains()), Environ: []string{"HOME=/home/ops"}, Version: version}); diags.HasErrors() {
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
