package helm

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/chart"

	"upkeep/providers/facts"
	"upkeep/providers/helm/versions"
	"upkeep/providers/plain"
	"upkeep/providers/strict"
	"upkeep/providers/strictjson"
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

// indexed is one version of a chart in a repository's index.
type indexed struct {
	version facts.ChartVersion
	url     string
}

// pick returns a version out of those of a chart; nil where there is none. Which of two with one version counts must
// not follow from their order, nor from who reads the index: two that differ are an error, unless the expected SHA-256
// of the archive tells them apart.
func pick(list []indexed, version, expected string) (*indexed, error) {
	with := func(equal func(a, b string) bool) []indexed {
		return slices.DeleteFunc(slices.Clone(list), func(e indexed) bool { return !equal(e.version.Version, version) })
	}
	candidates := with(versions.Same)
	if len(candidates) == 0 {
		candidates = with(versions.Equal)
	}
	expected = strings.ToLower(strings.TrimPrefix(expected, "sha256:"))
	meant := func(e indexed) bool { return expected != "" && e.version.Digest == expected }
	if slices.ContainsFunc(candidates, meant) {
		candidates = slices.DeleteFunc(candidates, func(e indexed) bool { return !meant(e) })
	}
	if len(candidates) == 0 {
		return nil, nil
	}
	slices.SortFunc(candidates, func(a, b indexed) int {
		return cmp.Or(strings.Compare(a.url, b.url), strings.Compare(a.version.Digest, b.version.Digest))
	})
	first := candidates[0]
	for _, other := range candidates[1:] {
		if !first.alike(other) {
			return nil, fmt.Errorf("stands twice in the repository's index, as %s and as %s; "+
				"write the sha256 of the right one in the block chart", first.told(), other.told())
		}
		if first.version.Digest == "" {
			first.version.Digest = other.version.Digest
		}
	}
	return &first, nil
}

// alike reports whether two entries are of one chart: the same archive, wherever it lies.
func (e indexed) alike(other indexed) bool {
	if e.version.Digest != "" && other.version.Digest != "" {
		return e.version.Digest == other.version.Digest
	}
	return e.url == other.url
}

// told names an entry.
func (e indexed) told() string {
	digest := "no digest"
	if e.version.Digest != "" {
		digest = "sha256 " + plain.Told(e.version.Digest)
	}
	return fmt.Sprintf("%q (%s)", e.url, digest)
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
	if _, _, again := entriesLine(below); again {
		return nil, false, errTwice("entries")
	}
	indent := len(below) - len(bytes.TrimLeft(below, " "))
	var item []byte
	known := false // the chart was there, and its versions ended
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
			return found, known || there, flush()
		case depth == indent && text[0] != '-':
			if there {
				if err := flush(); err != nil {
					return nil, false, err
				}
				known = true
			}
			key, value, _ := strings.Cut(string(text), ":")
			if there = strings.Trim(strings.TrimSpace(key), "\"'") == name; there && known {
				return nil, false, errTwice(name)
			}
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
	return found, known || there, flush()
}

// errTwice is the error of a key that stands twice in one mapping: each reader may take another one.
func errTwice(key string) error { return fmt.Errorf("the key %q stands twice in it", key) }

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
		if entries {
			return errTwice(key)
		}
		entries = true
		return members(d, func(key string) error {
			if key != name {
				return skip(d)
			}
			if there {
				return errTwice(key)
			}
			there = true
			if token, err := d.Token(); err != nil || token != json.Delim('[') {
				return errors.Join(err, fmt.Errorf("what it says of %s is no list", name))
			}
			for d.More() {
				var text json.RawMessage
				if err := d.Decode(&text); err != nil {
					return err
				}
				var entry *indexEntry
				if err := strictjson.Decode(text, &entry); err != nil {
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
