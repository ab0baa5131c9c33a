package main

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"upkeep/providers/node/protocol"
)

// securityTable returns the cells of the table of docs/security.md whose first head is a word. An empty first cell
// is the one above.
func securityTable(t *testing.T, head string) (out [][]string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "\n| "+head+" |")
	if !found {
		t.Fatalf("docs/security.md has no table of %q", head)
	}
	table, _, _ := strings.Cut(after, "\n\n")
	for _, line := range strings.Split(table, "\n")[2:] { // the rest of its head, and the rule below
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if cells[0] == "" && len(out) > 0 {
			cells[0] = out[len(out)-1][0]
		}
		if cells[len(cells)-1] == "" {
			t.Errorf("%s: nothing says what it is for", line)
		}
		out = append(out, cells)
	}
	return out
}

// quotedWords are what a cell names: words in code, or words.
var quotedWords = regexp.MustCompile("[A-Za-z0-9_.*/-]+")

// TestSecurityPageExplainsEachVerb: each rule of each ClusterRole has its row, with the same verbs, and each row
// its rule.
func TestSecurityPageExplainsEachVerb(t *testing.T) {
	table := securityTable(t, "role")
	used := make([]bool, len(table))
	for name, role := range roles(t) {
		for _, rule := range role.Rules {
			explained := false
			for i, row := range table {
				names := quotedWords.FindAllString(row[1], -1)
				verbs := quotedWords.FindAllString(strings.Replace(row[2], "all", "*", 1), -1)
				fits := row[1] == "everything" && slices.Equal(rule.APIGroups, []string{"*"}) ||
					row[1] == "other kinds of Kubernetes" && slices.Equal(rule.Resources, []string{"*"}) && len(rule.APIGroups) > 1 ||
					!slices.ContainsFunc(rule.Resources, func(r string) bool { return !slices.Contains(names, r) }) ||
					len(rule.APIGroups) == 1 && rule.APIGroups[0] != "" && slices.Contains(names, rule.APIGroups[0])
				if row[0] == "`"+name+"`" && fits && slices.Equal(verbs, rule.Verbs) {
					explained, used[i] = true, true
				}
			}
			if !explained {
				t.Errorf("no row of docs/security.md explains %s of %s in %s", rule.Verbs, rule.Resources, name)
			}
		}
	}
	for i, row := range table {
		if !used[i] {
			t.Errorf("no rule is what docs/security.md says: %s", row)
		}
	}
}

// TestSecurityPageExplainsEachLineOfSudoers: each class has its row, which names each of its requests and no other.
func TestSecurityPageExplainsEachLineOfSudoers(t *testing.T) {
	classes := map[string]string{}
	for _, row := range securityTable(t, "class") {
		classes[strings.Trim(row[0], "`")] = row[1]
	}
	for _, class := range protocol.Classes() {
		named := quotedWords.FindAllString(classes[string(class)], -1)
		for _, request := range class.Offers() {
			if !matchesAny(named, request) {
				t.Errorf("class %s: docs/security.md does not name %s", class, request)
			}
		}
		for _, name := range named {
			if !slices.ContainsFunc(class.Offers(), func(request string) bool { return matchesAny([]string{name}, request) }) {
				t.Errorf("class %s has no request %s, which docs/security.md names", class, name)
			}
		}
	}
	if len(classes) != len(protocol.Classes()) {
		t.Errorf("docs/security.md has the classes %v", classes)
	}
}

// TestSecurityPageExplainsEachUnit: the page says of each change on a node where its unit may write, and what it is
// kept from.
func TestSecurityPageExplainsEachUnit(t *testing.T) {
	units := map[string][]string{}
	for _, row := range securityTable(t, "request") {
		for _, name := range quotedWords.FindAllString(row[0], -1) {
			units[name] = row
		}
	}
	for _, row := range protocol.Methods() {
		if row.Unit == nil {
			continue
		}
		explained, known := units[row.Name]
		delete(units, row.Name)
		if !known {
			t.Errorf("docs/security.md says nothing of the unit of %s", row.Name)
			continue
		}
		if row.Unit.Hardening.Unconfined != "" {
			if !strings.HasPrefix(explained[1], "everything: ") || explained[2] != "`no`" {
				t.Errorf("%s: docs/security.md does not say that nothing confines it: %s", row.Name, explained)
			}
			continue
		}
		properties := row.Unit.Hardening.Properties()
		if !slices.Contains(properties, "ProtectHome="+strings.Trim(explained[2], "`")) {
			t.Errorf("%s: docs/security.md says ProtectHome=%s of %s", row.Name, explained[2], properties)
		}
		for _, place := range strings.Fields(strings.TrimPrefix(properties[len(properties)-1], "ReadWritePaths=")) {
			place = strings.TrimPrefix(place, "-")
			if !strings.Contains(explained[1], "`"+place+"`") {
				t.Errorf("%s: docs/security.md does not say that it writes to %s", row.Name, place)
			}
		}
	}
	for name := range units {
		t.Errorf("no request %s runs as a unit", name)
	}
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		matched, err := path.Match(pattern, name)
		return err == nil && matched
	})
}
