package akash

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/hashicorp/hcl/v2"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/akash/price"
	"upkeep/providers/akash/script"
	"upkeep/providers/akash/vocabulary"
	"upkeep/providers/facts"
	"upkeep/providers/helm/pending"
	"upkeep/providers/helm/values"
)

// defaultMaxChange is the percentage by which one plan may change a price where the block does not say: a price an
// hour in the place of one a month, or cents in the place of dollars, is far beyond it.
const defaultMaxChange = "50"

// maxScript is far more than any bid price script; Helm keeps values in a Secret, which holds a megabyte.
const maxScript = 256 << 10

var (
	namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,51}[a-z0-9])?$`) // a release: Helm v3 allows 53 letters
	// A namespace is a DNS label: it has no points.
	// domainPattern are names of two labels or more (RFC 1123), short enough for what stands before them.
	domainPattern    = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.){1,8}[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
	namespacePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

	sha256Pattern  = regexp.MustCompile(`^[0-9a-f]{64}$`)
	percentPattern = regexp.MustCompile(`^([0-9]{1,6}(\.[0-9]{1,6})?)%$`)
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

// warn reports what is suspicious and yet may be meant.
func (r *reading) warn(b config.Block, argument, summary, format string, args ...any) {
	d := b.Diagnose(argument, summary, fmt.Sprintf(format, args...))
	d.Severity = hcl.DiagWarning
	r.diags = append(r.diags, d)
}

func decode(b config.Block) (any, hcl.Diagnostics) {
	r := &reading{block: b, spec: Spec{
		Name: b.Name, Key: b.Key,
		Release: b.String("release"), Namespace: b.String("namespace"),
		Archive:  b.String("archive"),
		Position: config.PositionOf(b.DefRange, b.Directory),
		At:       map[string]config.Position{},
	}}
	for argument, pattern := range map[string]*regexp.Regexp{"release": namePattern, "namespace": namespacePattern} {
		if !pattern.MatchString(b.String(argument)) {
			r.fail(b, argument, "Invalid name", "%q is no name of a %s: write lower-case letters, digits and dashes.",
				b.String(argument), argument)
		}
	}
	if strings.TrimSpace(r.spec.Archive) == "" {
		r.fail(b, "archive", "No directory", "archive is empty. Write a directory, such as \"akash-archive\".")
	}
	r.spec.Domain = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(b.String("domain")), "."))
	if _, set := b.Ranges["domain"]; set && !isDomain(r.spec.Domain) {
		r.fail(b, "domain", "Invalid domain",
			"%q is no domain: write it without a scheme, a port or \"provider.\", such as \"example.com\".", b.String("domain"))
	}
	r.at(b, "domain", "domain")
	timeout, wrong := b.DurationWithin("timeout", pending.ShortestTimeout, pending.LongestTimeout)
	r.spec.Timeout, r.diags = timeout, append(r.diags, wrong...)
	r.chart()
	if r.spec.Chart != nil {
		r.spec.MaxChange = defaultMaxChange
	}
	r.script()
	r.definitions()
	r.prices()
	r.values()
	if r.spec.Chart == nil && (len(r.spec.Targets) > 0 || r.spec.GPU != nil || r.spec.Script != nil || len(r.spec.Values)+len(r.spec.Sealed) > 0) {
		r.fail(b, "", "No chart", "Values change by a Helm upgrade, which needs a chart and its exact version: without one it would jump to the newest. Add the block chart.")
	}
	return r.spec, r.diags
}

// isDomain reports whether a text is the domain of a provider, not its host.
func isDomain(text string) bool {
	return domainPattern.MatchString(text) && !strings.HasPrefix(text, "provider.")
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
	c := &Chart{Version: strings.TrimSpace(b.String("version"))}
	given := 0
	for _, argument := range []string{"repository", "oci", "path"} {
		if b.String(argument) != "" {
			given++
		}
	}
	if given > 1 {
		r.fail(b, "repository", "Where the chart is", "A chart has one source: write repository, oci or path.")
	}
	for _, argument := range []string{"repository", "oci"} {
		if wrong := providers.Userinfo(b, argument, b.String(argument)); wrong != nil {
			r.diags = append(r.diags, wrong...)
			return
		}
	}
	switch {
	case given == 0:
		c.Source = facts.ChartSource{Repository: chartRepository, Name: b.String("name")}
	case b.String("path") != "":
		c.Source.Path = b.String("path")
	case b.String("oci") != "":
		c.Source = facts.ChartSource{Repository: b.String("oci"), Name: b.String("name")}
		if !strings.HasPrefix(c.Source.Repository, "oci://") {
			r.fail(b, "oci", "Invalid URL", "%q is no registry: write oci://HOST/PATH, without the chart's name.",
				c.Source.Repository)
		}
	default:
		c.Source = facts.ChartSource{Repository: strings.TrimSuffix(b.String("repository"), "/"), Name: b.String("name")}
		if given == 1 && !strings.HasPrefix(c.Source.Repository, "https://") && !strings.HasPrefix(c.Source.Repository,
			"http://") {
			r.fail(b, "repository", "Invalid URL", "%q is no chart repository: write https://HOST/PATH.", c.Source.Repository)
		}
	}
	if _, err := semver.StrictNewVersion(c.Version); err != nil {
		r.fail(b, "version", "Not an exact version",
			"%q is no exact version. An open one would jump whenever the repository does: write all three numbers, such as \"6.0.5\".", c.Version)
	}
	r.at(b, "version", "chart.version")
	var wrong, half hcl.Diagnostics
	c.SHA256, wrong = providers.ChartTrust(b, &c.Source)
	c.Access, half = providers.ChartCredentials(b, &c.Source)
	r.diags = append(append(r.diags, wrong...), half...)
	r.spec.Chart = c
}

func (r *reading) script() {
	b, ok := r.block.Nested("bid_script")
	if !ok {
		return
	}
	if version := b.String("published"); version != "" {
		r.published(b, version)
		return
	}
	found := r.pinned(b, "bid_script", kindOfText{
		name: "script", danger: "what prices GPUs", most: maxScript,
		check: func(data []byte) error {
			return script.Recognise(data).CheckUsable()
		},
	})
	r.at(b, "replace_customised", "bid_script.replace_customised")
	r.spec.Script = &Script{File: found.file, Text: found.text, URL: found.url, SHA256: found.sha256,
		ReplaceCustomised: b.Bool("replace_customised")}
}

// published reads the name of a published script.
func (r *reading) published(b config.Block, version string) {
	r.at(b, "published", "bid_script.file") // where findings about the script point
	for _, argument := range []string{"file", "url", "sha256"} {
		if b.String(argument) != "" {
			r.fail(b, argument, "One source", "published names the script, its address and its digest. Remove %s.", argument)
		}
	}
	p, ok := script.PublishedAs(price.Version(version))
	if !ok {
		words := make([]string, 0, len(price.Versions()))
		for _, v := range price.Versions() {
			words = append(words, string(v))
		}
		r.fail(b, "published", "No published script", "%q is no published script.%s upkeep knows %s.", version,
			meant(version, words), strings.Join(words, ", "))
		return
	}
	r.spec.Script = &Script{Published: p.Version, URL: p.URL(), SHA256: p.SHA256,
		ReplaceCustomised: b.Bool("replace_customised")}
	r.at(b, "replace_customised", "bid_script.replace_customised")
}

// maxDefinitions is more than any file of definitions, and what a download may have.
const maxDefinitions = 256 << 10

// definitions reads the block crds.
func (r *reading) definitions() {
	b, ok := r.block.Nested("crds")
	if !ok {
		return
	}
	tag := b.String("tag")
	if _, err := semver.StrictNewVersion(strings.TrimPrefix(tag, "v")); err != nil || !strings.HasPrefix(tag, "v") {
		r.fail(b, "tag", "Invalid tag", "%q is no tag of akash-network/provider: write one such as \"v0.12.0\".", tag)
	}
	r.at(b, "tag", "crds.tag")
	found := r.pinned(b, "crds", kindOfText{
		name: "definitions", danger: "what changes the kinds of a cluster", most: maxDefinitions,
		check: func(data []byte) error {
			_, err := readDefinitions(string(data))
			return err
		},
	})
	r.spec.Definitions = &Definitions{Tag: tag, File: found.file, Text: found.text, URL: found.url, SHA256: found.sha256}
}

// pinned is a text that a block names: what stands in a file, or what must stand behind a URL.
type pinned struct{ file, text, url, sha256 string }

// kindOfText is what a block's text is: its name, why it matters who wrote it, its limit in bytes, and what it must be.
type kindOfText struct {
	name, danger string
	most         int64
	check        func(data []byte) error
}

// pinned reads the arguments file, url and sha256 of a block. A file is read at once; what stands behind a URL may be
// another text whenever it is fetched, so its digest must be there.
func (r *reading) pinned(b config.Block, block string, kind kindOfText) pinned {
	p := pinned{file: b.String("file"), url: b.String("url"), sha256: strings.ToLower(b.String("sha256"))}
	for _, argument := range []string{"file", "url", "sha256"} {
		r.at(b, argument, block+"."+argument)
	}
	if wrong := providers.Userinfo(b, "url", p.url); wrong != nil {
		r.diags = append(r.diags, wrong...)
		return p
	}
	switch {
	case p.sha256 != "" && !sha256Pattern.MatchString(p.sha256):
		r.fail(b, "sha256", "Invalid digest", "sha256 takes 64 hexadecimal digits; `sha256sum FILE` prints them.")
	case (p.file == "") == (p.url == ""):
		r.fail(b, "file", "One source", "Write one source of the %s: file, or url and sha256.", kind.name)
	case p.url != "" && !strings.HasPrefix(p.url, "https://"):
		r.fail(b, "url", "Invalid URL", "%q is not https: %s is not fetched in the clear.", p.url, kind.danger)
	case p.url != "" && p.sha256 == "":
		r.fail(b, "url", "No digest", "A URL needs sha256: the file at the URL may change between the plan and its review. `curl -fsSL URL | sha256sum` prints it; read the %s first.", kind.name)
	case p.file != "":
		r.pinnedFile(b, &p, kind)
	}
	return p
}

// pinnedFile reads the file of a text.
func (r *reading) pinnedFile(b config.Block, p *pinned, kind kindOfText) {
	data, err := b.ReadFile("file", kind.most)
	if err != nil {
		r.fail(b, "file", "Cannot read the "+kind.name, "%s: %v.", p.file, err)
		return
	}
	if err := kind.check(data); err != nil {
		r.fail(b, "file", "Unusable "+kind.name, "%s: %v.", p.file, err)
		return
	}
	found := digest(data)
	if p.sha256 != "" && p.sha256 != found {
		r.fail(b, "sha256", "Another text", "%s has the SHA-256 %s, and not %s. Read the %s, then write the digest that was found.", p.file, found, p.sha256, kind.name)
	}
	p.text, p.sha256 = string(data), found
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func (r *reading) prices() {
	b, ok := r.block.Nested("price_targets")
	if !ok {
		return
	}
	for _, p := range priceTargets {
		if _, set := b.Ranges[p.argument]; !set {
			continue
		}
		r.at(b, p.argument, "price_targets."+p.argument)
		text, exact := b.Number(p.argument)
		switch {
		case !exact:
			r.fail(b, p.argument, "Not a decimal", "The price is no decimal number of at most 18 digits after the point. Round it, such as with floor(x * 100) / 100.")
		case tooLarge(text):
			r.fail(b, p.argument, "Price too large", "%s", tooLargeText)
		case strings.HasPrefix(text, "-"):
			r.fail(b, p.argument, "Negative price", "A price below zero makes bids below zero, which the provider refuses.")
		case text != "":
			if r.spec.Targets == nil {
				r.spec.Targets = map[string]string{}
			}
			r.spec.Targets[p.value] = text
		}
	}
	r.gpu(b)
	r.policy(b)
	if text := b.String("max_change"); text != "" {
		r.at(b, "max_change", "price_targets.max_change")
		found := percentPattern.FindStringSubmatch(text)
		if found == nil {
			r.fail(b, "max_change", "Invalid percentage", "%q is no percentage: write one such as \"20%%\".", text)
			return
		}
		r.spec.MaxChange = found[1]
	}
}

// mostDollars is how many digits a price may have before its point: no script computes with more.
const mostDollars = 12

const tooLargeText = "A price has at most 12 digits before the point. Write USD a month."

func tooLarge(text string) bool {
	whole, _, _ := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	return len(whole) > mostDollars
}

// modelPattern is a key of the mapping: akash.md 10.2.
var modelPattern = regexp.MustCompile(`^([a-z0-9]+|\*)(\.[0-9]+Gi)?(\.(pcie|sxm))?$`)

func (r *reading) gpu(b config.Block) {
	if _, set := b.Ranges["gpu"]; !set {
		return
	}
	r.at(b, "gpu", "price_targets.gpu")
	prices, bad := b.Numbers("gpu")
	if len(bad) > 0 {
		r.fail(b, "gpu", "Not a decimal", "The price of %s is no decimal of at most 18 digits after the point. Round it, such as with floor(x * 100) / 100.", strings.Join(bad, ", "))
	}
	if prices == nil {
		prices = map[string]string{}
	}
	hints := map[string][]string{} // by place: a mapping that is a variable has one for all its items
	for _, model := range sortedKeys(prices) {
		at := b.Item("gpu", model)
		if !modelPattern.MatchString(model) {
			hints[at] = append(hints[at], modelHint(model))
		}
		if tooLarge(prices[model]) {
			r.fail(b, at, "Price too large", "%s", tooLargeText)
		}
		if strings.HasPrefix(prices[model], "-") {
			r.fail(b, at, "Negative price", "The price of %q is below zero.", model)
		}
		if prices[model] == "0" {
			r.warn(b, at, "GPUs for nothing", "The price of %q is zero: upkeep will write that, and the script will charge nothing for it.", model)
		}
	}
	for _, at := range sortedKeys(hints) {
		r.fail(b, at, "Invalid model", "%s", strings.Join(hints[at], "\n\n"))
	}
	if len(prices) == 0 && len(bad) == 0 {
		r.warn(b, "gpu", "No models", "gpu names no model, and it replaces the mapping of the release: the script then charges its own default for every GPU. Name models, or remove gpu.")
	}
	if _, set := prices["*"]; set {
		r.warn(b, b.Item("gpu", "*"), "No catch-all", "%s",
			"\"*\" is no catch-all: it prices only an order that asks for no model at all; its price raises that of every model that is not listed. List the models instead.")
	}
	r.spec.GPU = prices
}

// modelHint says what is wrong with a model's name and how it is written.
func modelHint(model string) string {
	fixed := strings.ToLower(strings.TrimSpace(model))
	fixed = regexp.MustCompile(`gi\b`).ReplaceAllString(fixed, "Gi")
	fixed = regexp.MustCompile(`\.sxm[0-9]+$`).ReplaceAllString(fixed, ".sxm")
	text := fmt.Sprintf("%q is no model that the script can match: write MODEL, MODEL.80Gi, MODEL.pcie, MODEL.sxm or MODEL.80Gi.sxm in lower case and without spaces.", model)
	if modelPattern.MatchString(fixed) && fixed != model {
		text += fmt.Sprintf(" Did you mean %q?", fixed)
	}
	return text
}

func (r *reading) values() {
	tree, sensitive := r.block.Tree("values")
	if _, set := r.block.Ranges["values"]; set && tree == nil {
		r.fail(r.block, "values", "Object expected",
			"values takes an object of the chart's values, such as { bidmindeposit = \"500000uakt\" }.")
		return
	}
	r.at(r.block, "values", "values")
	var paths [][]string
	for _, at := range secretValues {
		paths = append(paths, values.Segments(at))
	}
	tree = values.Clone(tree)
	for _, s := range sensitive {
		var value any
		if json.Unmarshal([]byte(s.JSON.Reveal()), &value) != nil {
			continue // it came out of JSON
		}
		values.Put(tree, s.Path, value)
		paths = append(paths, s.Path)
	}
	for _, key := range sortedKeys(tree) {
		r.value(key)
		r.trap(tree, key)
	}
	r.vocabulary(tree)
	r.spec.Wanted = values.Part(tree, paths)
	r.numbers(r.spec.Values, nil)
}

// value refuses values that have an argument of their own.
func (r *reading) value(key string) {
	at := r.block.Item("values", key)
	switch {
	case key == valueScript:
		r.fail(r.block, at, "An argument of its own", "bidpricescript is set by the block bid_script.")
	case key == valueGPU:
		r.fail(r.block, at, "An argument of its own", "%s is set by price_targets.gpu.", key)
	case strings.HasPrefix(key, "price_target_") && !slices.Contains(vocabulary.Paths(""), key):
		// vocabulary reports it
	case strings.HasPrefix(key, "price_target_"):
		r.fail(r.block, at, "An argument of its own",
			"%s is set by price_targets.%s, which writes it so that the chart cannot misread it.", key, strings.TrimPrefix(key,
				"price_target_"))
	case key == valueDebug:
		r.warn(r.block, at, "No more bids", "debug_bid_script makes the script print more than the price, and the provider then places no bid at all.")
	}
}

// numbers warns of numbers that a chart's templates write with an exponent: Go prints a float64 so from 1e+06 up to
// 1e+21 wherever it has no shorter form, and below 1e-04 (akash.md 2.5).
func (r *reading) numbers(tree map[string]any, at []string) {
	for _, key := range sortedKeys(tree) {
		here := append(at[:len(at):len(at)], key)
		switch value := tree[key].(type) {
		case map[string]any:
			r.numbers(value, here)
		case float64:
			if text := fmt.Sprint(value); strings.ContainsAny(text, "eE") {
				r.warn(r.block, r.block.Item("values", values.Path(here)), "A number with an exponent",
					"The chart writes %s as %s. Write it as a string, in quotation marks.", values.Path(here), text)
			}
		}
	}
}
