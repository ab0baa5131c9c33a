package release

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/hashicorp/hcl/v2"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/pending"
	"upkeep/providers/helm/values"
)

var (
	releasePattern   = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,51}[a-z0-9])?$`) // Helm v3 allows 53 letters
	namespacePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)  // a DNS label
)

// reading is one block under way.
type reading struct {
	block config.Block
	spec  Spec
	diags hcl.Diagnostics
}

func (r *reading) fail(b config.Block, argument, summary, format string, args ...any) {
	r.diags = append(r.diags, b.Diagnose(argument, summary, fmt.Sprintf(format, args...)))
}

func decode(b config.Block) (any, hcl.Diagnostics) {
	r := &reading{block: b, spec: Spec{
		Name: b.Name, Key: b.Key,
		Release: b.String("release"), Namespace: b.String("namespace"), CreateNamespace: b.Bool("create_namespace"),
		Wait:     b.Bool("wait"),
		Position: config.PositionOf(b.DefRange, b.Directory),
		At:       map[string]config.Position{},
	}}
	if !releasePattern.MatchString(r.spec.Release) {
		r.fail(b, "release", "Invalid name", "%q is no name of a release: write at most 53 lower-case letters, digits and dashes.", r.spec.Release)
	}
	if !namespacePattern.MatchString(r.spec.Namespace) {
		r.fail(b, "namespace", "Invalid name", "%q is no name of a namespace: write at most 63 lower-case letters, digits and dashes.", r.spec.Namespace)
	}
	r.waiting()
	r.chart()
	r.values()
	return r.spec, r.diags
}

func (r *reading) waiting() {
	b := r.block
	r.spec.Atomic = r.spec.Wait
	if _, set := b.Ranges["atomic"]; set {
		r.spec.Atomic = b.Bool("atomic")
	}
	if r.spec.Atomic && !r.spec.Wait {
		r.fail(b, "atomic", "Nothing to go back by", "Without wait nobody sees that an upgrade failed later. Set wait = true, or atomic = false.")
	}
	timeout, wrong := b.DurationWithin("timeout", pending.ShortestTimeout, pending.LongestTimeout)
	r.spec.Timeout, r.diags = timeout, append(r.diags, wrong...)
}

func (r *reading) at(b config.Block, argument, name string) {
	if _, set := b.Ranges[argument]; set {
		r.spec.At[name] = b.Position(argument)
	}
}

func (r *reading) chart() {
	b, ok := r.block.Nested("chart")
	if !ok {
		return
	}
	name, given := b.String("name"), []string{}
	for _, argument := range []string{"repository", "oci", "path"} {
		if b.String(argument) != "" {
			given = append(given, argument)
		}
	}
	c := &r.spec.Chart
	c.Version = strings.TrimSpace(b.String("version"))
	r.at(b, "version", "chart.version")
	if len(given) != 1 {
		r.fail(b, append(given, "")[0], "Where the chart is", "A chart has one source: write repository, oci or path.")
		return
	}
	if wrong := providers.Userinfo(b, given[0], b.String(given[0])); given[0] != "path" && wrong != nil {
		r.diags = append(r.diags, wrong...)
		return
	}
	switch given[0] {
	case "path":
		c.Source.Path = b.String("path")
		if name != "" {
			r.fail(b, "name", "A name too many", "A chart at a path has its own name. Remove name.")
		}
	case "oci":
		c.Source = facts.ChartSource{Repository: strings.TrimSuffix(b.String("oci"), "/"), Name: name}
		if !strings.HasPrefix(c.Source.Repository, "oci://") {
			r.fail(b, "oci", "Invalid URL", "%q is no registry: write oci://HOST/PATH, without the chart's name.", c.Source.Repository)
		}
	default:
		c.Source = facts.ChartSource{Repository: strings.TrimSuffix(b.String("repository"), "/"), Name: name}
		if !strings.HasPrefix(c.Source.Repository, "https://") && !strings.HasPrefix(c.Source.Repository, "http://") {
			r.fail(b, "repository", "Invalid URL", "%q is no chart repository: write https://HOST/PATH; a registry is written oci.", c.Source.Repository)
		}
	}
	var wrong, half hcl.Diagnostics
	c.SHA256, wrong = providers.ChartTrust(b, &c.Source)
	c.Access, half = providers.ChartCredentials(b, &c.Source)
	r.diags = append(append(r.diags, wrong...), half...)
	if _, err := semver.StrictNewVersion(c.Version); err != nil && c.SHA256 != "" && c.Source.Path == "" {
		r.fail(b, "sha256", "A digest of no exact version", "sha256 belongs to one archive, and %q allows several versions. Write the exact version.", c.Version)
	}
	if c.Source.Path == "" && name == "" {
		r.fail(b, given[0], "Which chart", "A chart from a repository has a name: write name.")
	}
	r.version(b)
}

// version checks the version: without one the newest would be taken whenever the repository has a new one.
func (r *reading) version(b config.Block) {
	c := r.spec.Chart
	switch {
	case c.Version == "" && c.Source.Path != "":
		return
	case c.Version == "":
		r.fail(b, "version", "No version", "Write the exact version, such as \"0.17.1\", or a constraint, such as \">= 0.16.2\". `helm search repo -l` lists versions.")
		return
	}
	constraint, err := semver.NewConstraint(c.Version)
	switch {
	case err != nil:
		r.fail(b, "version", "Invalid version", "%q is neither a version nor a constraint: write \"0.17.1\", \">= 0.16.2\" or \"~0.16\".", c.Version)
		return
	case !config.Satisfiable(constraint, c.Version):
		r.fail(b, "version", "Invalid version", "No version is %q: the parts contradict each other.", c.Version)
		return
	}
	if found, is := bad(c.Source.Name, c.Version); is {
		r.fail(b, "version", "Known to be bad", "%s. Take %s.", upper(found.String()), found.instead)
	}
}

func upper(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

func (r *reading) values() {
	b := r.block
	tree, sensitive := b.Tree("values")
	if _, set := b.Ranges["values"]; set && tree == nil {
		r.fail(b, "values", "Object expected", "values takes an object of the chart's values, such as { runtimeClassName = \"nvidia\" }.")
		return
	}
	r.at(b, "values", "values")
	if len(tree)+len(sensitive) == 0 {
		return
	}
	tree = values.Clone(tree)
	var paths [][]string
	for _, s := range sensitive {
		var value any
		if json.Unmarshal([]byte(s.JSON.Reveal()), &value) != nil {
			continue
		}
		values.Put(tree, s.Path, value)
		paths = append(paths, s.Path)
	}
	r.spec.Wanted = values.Part(tree, paths)
	r.numbers(r.spec.Values, nil)
}

// numbers warns of numbers that a chart's templates write with an exponent: Go prints a float64 so from 1e+06 up to 1e+21
// wherever it has no shorter form, and below 1e-04 (package fmt, verb %v).
func (r *reading) numbers(tree map[string]any, at []string) {
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		here := append(at[:len(at):len(at)], key)
		switch value := tree[key].(type) {
		case map[string]any:
			r.numbers(value, here)
		case float64:
			if text := fmt.Sprint(value); strings.ContainsAny(text, "eE") {
				d := r.block.Diagnose("values", "A number with an exponent",
					fmt.Sprintf("Many charts write %s as %s. Write it as a string, in quotation marks, unless the chart reads it as a number.", values.Path(here), text))
				d.Severity = hcl.DiagWarning
				r.diags = append(r.diags, d)
			}
		}
	}
}
