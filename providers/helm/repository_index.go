package helm

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/chart"

	"upkeep/providers/strict"
)

// An index is untrusted text of up to indexLimit: read as one YAML document it takes some fifty times its size. So the
// one chart that is asked for is found by the layout that `helm repo index` writes, and read version by version.
const (
	// entryLimit bounds what an index says of one version of a chart.
	entryLimit = 256 << 10
	// otherwiseLimit bounds an index in any other layout, which is read as one document.
	otherwiseLimit = 2 << 20
)

// indexEntry is what is read of a version in an index.
type indexEntry struct {
	Name       string    `json:"name"`
	Version    string    `json:"version"`
	AppVersion string    `json:"appVersion"`
	Deprecated bool      `json:"deprecated"`
	Digest     string    `json:"digest"`
	Created    time.Time `json:"created"`
	URLs       []string  `json:"urls"`
}

// chartInIndex returns the versions of a chart; nil where the index does not have it. Versions without a version or a
// URL are left out, as Helm does.
func chartInIndex(data []byte, name string) ([]indexed, error) {
	var found []indexEntry
	var there bool
	var err error
	switch {
	case len(bytes.TrimSpace(data)) > 0 && bytes.TrimSpace(data)[0] == '{':
		found, there, err = entriesInJSON(data, name)
	case laidOut(data):
		found, there, err = entriesInYAML(data, name)
	case len(data) > otherwiseLimit:
		return nil, fmt.Errorf("index.yaml is larger than %d MiB and not laid out as `helm repo index` writes it", otherwiseLimit>>20)
	default:
		found, there, err = entriesInDocument(data, name)
	}
	if err != nil {
		return nil, fmt.Errorf("index.yaml: %w", err)
	}
	if !there {
		return nil, nil
	}
	out := []indexed{}
	for _, entry := range found {
		if entry.Version == "" || len(entry.URLs) == 0 {
			continue
		}
		version := versionOf(&chart.Metadata{Name: entry.Name, Version: entry.Version, AppVersion: entry.AppVersion, Deprecated: entry.Deprecated})
		version.Digest = strings.ToLower(strings.TrimPrefix(entry.Digest, "sha256:"))
		if !entry.Created.IsZero() {
			version.Created = entry.Created.UTC()
		}
		out = append(out, indexed{version, entry.URLs[0]})
	}
	return out, nil
}

// errNoIndex is the error of a document that is no index.
var errNoIndex = errors.New("it has no entries: this is no chart repository")

// laidOut reports whether an index has the layout of `helm repo index`: the line "entries:", and below it blocks.
func laidOut(data []byte) bool {
	_, below, found := entriesLine(data)
	return found && bytes.HasPrefix(below, []byte("  "))
}

func entriesLine(data []byte) (before, below []byte, found bool) {
	if rest, first := bytes.CutPrefix(data, []byte("entries:\n")); first {
		return nil, rest, true
	}
	return bytes.Cut(data, []byte("\nentries:\n"))
}

// entriesInYAML reads the versions of one chart from an index that is laid out.
func entriesInYAML(data []byte, name string) (found []indexEntry, there bool, err error) {
	_, below, _ := entriesLine(data)
	indent := len(below) - len(bytes.TrimLeft(below, " "))
	var item []byte
	flush := func() error {
		if len(bytes.TrimSpace(item)) == 0 {
			return nil
		}
		var list []indexEntry
		err := strict.YAML(item, &list)
		item, found = item[:0], append(found, list...)
		return err
	}
	lines := bufio.NewScanner(bytes.NewReader(below))
	lines.Buffer(nil, entryLimit)
	for lines.Scan() {
		line := lines.Bytes()
		text := bytes.TrimLeft(line, " ")
		depth := len(line) - len(text)
		switch {
		case len(text) == 0 || text[0] == '#':
			if there {
				item = append(append(item, line...), '\n')
			}
			continue
		case depth < indent: // the end of the entries
			return found, there, flush()
		case depth == indent && text[0] != '-':
			if there {
				return found, there, flush()
			}
			key, value, _ := strings.Cut(string(text), ":")
			there = strings.Trim(key, "\"'") == name
			if there && strings.TrimSpace(value) != "" && strings.TrimSpace(value) != "[]" {
				return nil, false, fmt.Errorf("what it says of %s is not laid out as `helm repo index` writes it", name)
			}
			continue
		case !there:
			continue
		case text[0] == '-' && (depth == indent || depth == firstDepth(item)):
			if err := flush(); err != nil {
				return nil, false, err
			}
		}
		if item = append(append(item, line...), '\n'); len(item) > entryLimit {
			return nil, false, fmt.Errorf("what it says of a version of %s is larger than %d KiB", name, entryLimit>>10)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, false, fmt.Errorf("a line is longer than %d KiB", entryLimit>>10)
	}
	return found, there, flush()
}

// firstDepth is how deep the first line of an item stands.
func firstDepth(item []byte) int { return len(item) - len(bytes.TrimLeft(item, " ")) }

// entriesInJSON reads the versions of one chart and passes over the others.
func entriesInJSON(data []byte, name string) (found []indexEntry, there bool, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	entries := false
	err = members(d, func(key string) error {
		if key != "entries" {
			return skip(d)
		}
		entries = true
		return members(d, func(key string) error {
			if key != name {
				return skip(d)
			}
			there = true
			if token, err := d.Token(); err != nil || token != json.Delim('[') {
				return errors.Join(err, fmt.Errorf("what it says of %s is no list", name))
			}
			for d.More() {
				var entry *indexEntry
				if err := d.Decode(&entry); err != nil {
					return err
				}
				if entry != nil {
					found = append(found, *entry)
				}
			}
			_, err := d.Token()
			return err
		})
	})
	if err == nil && !entries {
		err = errNoIndex
	}
	return found, there, err
}

// members calls each for the members of the object that comes next.
func members(d *json.Decoder, each func(key string) error) error {
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return errors.Join(err, errNoIndex)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := key.(string)
		if err := each(name); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// skip passes over the value that comes next.
func skip(d *json.Decoder) error {
	for depth := 0; ; {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// entriesInDocument reads a small index of any layout.
func entriesInDocument(data []byte, name string) ([]indexEntry, bool, error) {
	var file struct {
		Entries map[string][]*indexEntry `json:"entries"`
	}
	if err := strict.YAML(data, &file); err != nil {
		return nil, false, err
	}
	if file.Entries == nil {
		return nil, false, errNoIndex
	}
	list, there := file.Entries[name]
	var out []indexEntry
	for _, entry := range list {
		if entry != nil {
			out = append(out, *entry)
		}
	}
	return out, there, nil
}
