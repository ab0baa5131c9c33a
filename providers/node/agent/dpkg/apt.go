package dpkg

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/program"
)

const (
	etc       = "/etc/apt"
	maxConfig = 1 << 20
	// apt reads all its lists again, since it may keep no cache.
	aptTime    = 15 * time.Second
	maxAnswer  = 4 << 20
	maxSources = 1000
)

// files lists a file and what is in a directory with one of the endings, in apt's order. Those that cannot be listed are
// errors.
func files(d *disk.Disk, first, directory string, endings ...string) (out []string, errs []error) {
	if d.Exists(first) {
		out = append(out, first)
	}
	dir, err := d.Dir(directory)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return out, []error{err}
	}
	entries, err := dir.List()
	if err != nil {
		return out, []error{err}
	}
	for _, e := range entries {
		if slices.Contains(endings, path.Ext(e.Name)) && !e.Info.Mode.IsDir() {
			out = append(out, path.Join(directory, e.Name))
		}
	}
	return out, nil
}

// sources reads all sources of apt, in both of its forms (sources.list(5)).
func sources(d *disk.Disk) (out []facts.PackageSource, errs []error) {
	found, errs := files(d, etc+"/sources.list", etc+"/sources.list.d", ".list", ".sources")
	for _, p := range found {
		text, _, err := d.Read(p, maxConfig)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if path.Ext(p) == ".sources" {
			out = append(out, sourcesOfFields(p, text)...)
		} else {
			out = append(out, sourcesOfLines(p, text)...)
		}
	}
	return out[:min(len(out), maxSources)], errs
}

var sourceLine = regexp.MustCompile(`^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*(.*)$`)

func sourcesOfLines(p string, text []byte) (out []facts.PackageSource) {
	number := 0
	for line := range bytes.Lines(text) {
		number++
		l, _, _ := strings.Cut(string(line), "#")
		m := sourceLine.FindStringSubmatch(strings.TrimSpace(l))
		if m == nil {
			continue
		}
		s := facts.PackageSource{File: p, Line: number, URI: bareURI(m[2]), Suite: m[3], Components: strings.Fields(m[4])}
		for option := range strings.FieldsSeq(m[1]) {
			if v, ok := strings.CutPrefix(option, "signed-by="); ok {
				s.SignedBy = v
			}
		}
		if len(s.Components) == 0 {
			s.Components = nil
		}
		out = append(out, s)
	}
	return out
}

func sourcesOfFields(p string, text []byte) (out []facts.PackageSource) {
	for _, g := range paragraphs(text) {
		if !slices.Contains(strings.Fields(g.fields["types"]), "deb") {
			continue
		}
		for uri := range strings.FieldsSeq(g.fields["uris"]) {
			for suite := range strings.FieldsSeq(g.fields["suites"]) {
				s := facts.PackageSource{
					File: p, Line: g.line, URI: bareURI(uri), Suite: suite, Components: strings.Fields(g.fields["components"]),
					Disabled: slices.Contains([]string{"no", "false", "0"}, strings.ToLower(g.fields["enabled"])),
				}
				// A key may be written out in the field itself.
				if key := g.fields["signed-by"]; strings.HasPrefix(key, "/") {
					s.SignedBy = key
				}
				if len(s.Components) == 0 {
					s.Components = nil
				}
				out = append(out, s)
			}
		}
	}
	return out
}

// bareURI leaves out the user and the password that a URI may hold.
func bareURI(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		_, after, found := strings.Cut(s, "@")
		if !found {
			return s
		}
		return after
	}
	u.User = nil
	return u.String()
}

// paragraph is a group of fields, by their names in small letters, and the line where it begins.
type paragraph struct {
	line   int
	fields map[string]string
}

// paragraphs reads fields with continuation lines and comments (deb822(5)).
func paragraphs(text []byte) (out []paragraph) {
	number, last := 0, ""
	var at *paragraph
	for line := range bytes.Lines(text) {
		number++
		l := strings.TrimRight(string(line), "\r\n")
		switch {
		case strings.HasPrefix(l, "#"):
		case strings.TrimSpace(l) == "":
			at = nil
		case at != nil && (l[0] == ' ' || l[0] == '\t'):
			at.fields[last] += " " + strings.TrimSpace(l)
		default:
			name, value, ok := strings.Cut(l, ":")
			if !ok {
				continue
			}
			if at == nil {
				out = append(out, paragraph{line: number, fields: map[string]string{}})
				at = &out[len(out)-1]
			}
			last = strings.ToLower(strings.TrimSpace(name))
			at.fields[last] = strings.TrimSpace(value)
		}
	}
	return out
}

// pins reads apt's preferences (apt_preferences(5)) and keeps those that concern the driver.
func pins(d *disk.Disk, packages []facts.Package) (out []facts.Pin, errs []error) {
	found, errs := files(d, etc+"/preferences", etc+"/preferences.d", "", ".pref")
	for _, p := range found {
		text, _, err := d.Read(p, maxConfig)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, g := range paragraphs(text) {
			priority, err := strconv.Atoi(g.fields["pin-priority"])
			patterns := strings.Fields(g.fields["package"])
			if err != nil || !slices.ContainsFunc(patterns, func(pattern string) bool { return concerns(pattern, packages) }) {
				continue
			}
			out = append(out, facts.Pin{File: p, Line: g.line, Packages: patterns, Pin: g.fields["pin"], Priority: priority})
		}
	}
	return out, errs
}

// concerns reports whether a pattern of a pin can choose a package of the driver.
func concerns(pattern string, packages []facts.Package) bool {
	if pattern == "*" || strings.Contains(pattern, "nvidia") || strings.Contains(pattern, "cuda") {
		return true
	}
	matches := func(name string) bool {
		ok, err := path.Match(pattern, name)
		return err == nil && ok
	}
	if expression, ok := strings.CutPrefix(pattern, "/"); ok {
		compiled, err := regexp.Compile(strings.TrimSuffix(expression, "/"))
		if err != nil {
			return true // apt may read it in another way
		}
		matches = compiled.MatchString
	}
	return slices.ContainsFunc(packages, func(p facts.Package) bool { return matches(p.Name) })
}

// candidates asks apt what it would install, and writes it into the packages.
func candidates(ctx context.Context, d *disk.Disk, packages []facts.Package) error {
	if len(packages) == 0 {
		return nil
	}
	args := append(NoCache(), "policy")
	for _, p := range packages {
		// The names are dpkg's own, and none of them begins with a hyphen.
		args = append(args, p.Name+":"+p.Architecture)
	}
	answer, err := program.Ask(ctx, d, program.Question{
		Places: []string{"/usr/bin/apt-cache"}, Args: args, Limit: aptTime, Most: maxAnswer,
	})
	if err != nil {
		return err
	}
	policies := parsePolicy(answer)
	for i := range packages {
		p := &packages[i]
		// apt leaves out the architecture where it is the node's own.
		found, ok := policies[p.Name+":"+p.Architecture]
		if !ok {
			found, ok = policies[p.Name]
		}
		if !ok {
			continue
		}
		p.Candidate, p.Versions = found.candidate, found.versions
		p.Pinned = p.Candidate == "" && slices.ContainsFunc(p.Versions, func(v facts.PackageVersion) bool { return v.Priority < 0 })
	}
	return nil
}

// NoCache are options with which apt makes its cache in memory, and writes nothing.
func NoCache() []string {
	return []string{"-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="}
}

// Offers asks apt which versions it knows of packages, by their names in their order. Names must be those of packages:
// none begins with a hyphen. One that apt knows by name alone is left out.
func Offers(ctx context.Context, d *disk.Disk, names []string) ([]facts.Offer, error) {
	if len(names) == 0 {
		return nil, nil
	}
	answer, err := program.Ask(ctx, d, program.Question{
		Places: []string{"/usr/bin/apt-cache"}, Args: append(append(NoCache(), "policy"), names...),
		Limit: aptTime, Most: maxAnswer,
	})
	if err != nil {
		return nil, err
	}
	policies := parsePolicy(answer)
	var out []facts.Offer
	for _, name := range names {
		if p := policies[name]; p != nil && len(p.versions) > 0 {
			out = append(out, facts.Offer{Name: name, Candidate: p.candidate, Versions: p.versions})
		}
	}
	return out, nil
}

// policy is what `apt-cache policy` says of one package.
type policy struct {
	candidate string
	versions  []facts.PackageVersion
}

var (
	policyVersion = regexp.MustCompile(`^ (?:\*\*\*|   ) (\S+) (-?[0-9]+)$`)
	policySource  = regexp.MustCompile(`^ {8} *-?[0-9]+ (\S.*)$`)
)

// parsePolicy reads the answer by its indentation, which apt has kept since it is there.
func parsePolicy(text []byte) map[string]*policy {
	out := map[string]*policy{}
	var at *policy
	for line := range bytes.Lines(text) {
		l := strings.TrimRight(string(line), "\r\n")
		switch {
		case l != "" && l[0] != ' ' && strings.HasSuffix(l, ":"):
			at = &policy{}
			out[strings.TrimSuffix(l, ":")] = at
		case at == nil:
		case strings.HasPrefix(l, "  Candidate: "):
			if at.candidate = strings.TrimPrefix(l, "  Candidate: "); at.candidate == "(none)" {
				at.candidate = ""
			}
		default:
			if m := policyVersion.FindStringSubmatch(l); m != nil {
				priority, err := strconv.Atoi(m[2])
				if err != nil {
					continue
				}
				at.versions = append(at.versions, facts.PackageVersion{Version: m[1], Priority: priority})
			} else if m := policySource.FindStringSubmatch(l); m != nil && len(at.versions) > 0 {
				v := &at.versions[len(at.versions)-1]
				v.Sources = append(v.Sources, m[1])
			}
		}
	}
	return out
}
