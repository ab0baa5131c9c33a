// Package script reads bid price scripts: which version one is, whether somebody changed it, which targets are in its
// text, and which chart values say the same. It holds no script: what it knows of the published ones are digests and
// the words that tell them apart.
//
// It promises to call a script known only where it is a published one byte for byte, except for the numbers of its
// targets. One byte more, wherever it stands, makes the script customised: the version is then a guess by features,
// and says nothing of what the script charges.
//
// The package is pure: it reads no file and no network.
package script

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"upkeep/providers/akash/price"
)

// Recognition is what is known of a script.
type Recognition struct {
	// Version is the version whose features it has; empty where it prices no GPUs or is no price script at all.
	Version price.Version `json:"version,omitempty"`
	// Known: it is that version byte for byte, except for the numbers of its targets. Without it, it is customised, and
	// what it charges is unknown until it is measured.
	Known bool `json:"known"`
	// Says is the word in its "# Version:" line, which is not changed with each version.
	Says string `json:"says,omitempty"`
	// SHA256 is the digest of its text; FormSHA256 that of the text without the numbers of its targets.
	SHA256     string `json:"sha256"`
	FormSHA256 string `json:"form_sha256"`
	// Targets are the targets that its text sets, in its order; Unread those that it sets in a form that is not read.
	Targets []Literal `json:"targets"`
	Unread  []Unread  `json:"unread_targets,omitempty"`
	// Features are what was found of the words that tell versions apart, the oldest first.
	Features []Feature `json:"features"`
	// PriceSource is where it asks for the price of AKT: "diadata", "imperator" (which has ended), or empty.
	PriceSource string `json:"price_source,omitempty"`
	// Unusable says why the provider cannot run it; empty where it can.
	Unusable string `json:"unusable,omitempty"`
	// Policy stands before the script; nil: none does.
	Policy *price.Policy `json:"policy,omitempty"`
}

// Literal is a target in a script's text.
type Literal struct {
	Name string `json:"name"` // TARGET_CPU
	// Value is the number: what is charged, or with FromValues what is charged where the release's values say nothing.
	Value      string `json:"value"`
	FromValues bool   `json:"from_values,omitempty"`
	Line       int    `json:"line"` // from 1
}

// Feature is something that tells versions apart.
type Feature struct {
	Since price.Version `json:"since"`
	What  string        `json:"what"`
	Found bool          `json:"found"`
}

// marker is a feature and how to find it in what a script does.
type marker struct {
	since price.Version
	what  string
	find  *regexp.Regexp
}

// markers are cumulative: each version has those of the versions before it, except for the ones that replaced a
// literal.
var markers = []marker{
	{price.June14, "prices GPUs", regexp.MustCompile(`TARGET_GPU_UNIT|gpu_mappings`)},
	{price.June25, "multiplies storage by the number of replicas", regexp.MustCompile(`\.size\s*//\s*0\)\s*\*\s*\.count`)},
	{price.Aug08, "reads the order's price", regexp.MustCompile(`\.price\?|has\("price"\)`)},
	{price.Aug14, "prints fractions", regexp.MustCompile(`printf "%\.(18|\*)f"`)},
	{price.Aug16, "reads the price as an object", regexp.MustCompile(`\.price\.amount`)},
	{price.Sept08, "prices USDC on mainnet", regexp.MustCompile(regexp.QuoteMeta(price.USDC))},
	{price.Sept19, "reads PRICE_TARGET_* and prices by model", regexp.MustCompile(`PRICE_TARGET_GPU_MAPPINGS`)},
	{price.Nov03, "prices unlisted models at the highest price", regexp.MustCompile(`gpu_unit_max_price`)},
	{price.Nov16, "multiplies GPUs by the number of replicas", regexp.MustCompile(`\$?count\s*\*\s*\$?gpu_units`)},
	{price.Feb27, "reads RAM, and AMD models", regexp.MustCompile(`\.amd\b`)},
	{price.March27, "reads interfaces", regexp.MustCompile(`\.interface\b`)},
	{price.April03, "computes GPU prices with decimals", regexp.MustCompile(`bc[^\n]*\$gpu_price_total\s*\+`)},
	{price.Feb04, "asks diadata for the price of AKT", regexp.MustCompile(`diadata`)},
	{price.Feb04ACT, "prices uact", regexp.MustCompile(`"uact"\s*[|)]`)},
}

var versionLine = regexp.MustCompile(`(?m)^#[ \t]*Version:[ \t]*(\S+)`)

// Recognise says which script this is. Scripts that the caller knows are known, too.
func Recognise(body []byte, known ...Published) Recognition {
	compiled, is := ReadCompiled(body)
	if !is {
		return recognise(body, known...)
	}
	r := recognise(compiled.Published, known...)
	r.SHA256, r.Policy = digest(body), &compiled.Policy
	r.Known = r.Known && compiled.Exact
	r.Unusable = unusable(body)
	for i := range r.Unread {
		r.Unread[i].Line += compiled.Lines
	}
	for i := range r.Targets {
		r.Targets[i].Line += compiled.Lines
	}
	return r
}

func recognise(body []byte, known ...Published) Recognition {
	r := Recognition{SHA256: digest(body), FormSHA256: formDigest(body), Targets: []Literal{}, Unusable: unusable(body)}
	if m := versionLine.FindSubmatch(body); m != nil {
		r.Says = string(m[1])
	}
	text := code(body)
	for _, m := range markers {
		found := m.find.MatchString(text)
		r.Features = append(r.Features, Feature{Since: m.since, What: m.what, Found: found})
		if found && (r.Version != "" || m.since == price.June14) {
			r.Version = m.since
		}
	}
	for _, source := range []string{"imperator", "diadata"} {
		if strings.Contains(text, source) {
			r.PriceSource = source
		}
	}
	if version, ok := versionOfForm(r.FormSHA256); ok {
		r.Known, r.Version = true, version
	}
	for _, p := range known {
		if p.Form == r.FormSHA256 {
			r.Known, r.Version = true, p.Version
		}
	}
	for i, line := range lines(body) {
		if l, ok := target(strings.TrimRight(line, "\r")); ok {
			l.Line = i + 1
			r.Targets = append(r.Targets, l)
		}
	}
	if !r.Known {
		r.Unread = unread(body)
	}
	return r
}

// code is a script without its comment lines.
func code(body []byte) string {
	var out []string
	for _, line := range lines(body) {
		if !strings.HasPrefix(strings.TrimLeft(line, " \t"), "#") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// Customised says whether overwriting the script would lose what somebody wrote into it. Targets do not count:
// Migrate takes them along.
func (r Recognition) Customised() bool { return !r.Known }

// ACT says whether the script prices uact.
func (r Recognition) ACT() bool {
	return len(r.Features) > 0 && r.Features[len(r.Features)-1].Found
}

// String names a script for people, and shows nothing of its text: "February-04-2025+uact, sha256 48a75c9bc192".
func (r Recognition) String() string {
	name := string(r.Version)
	switch {
	case name == "":
		name = "unknown script"
	case !r.Known:
		name = "customised script like " + name
	}
	if r.Policy != nil {
		name += " under a policy"
	}
	return fmt.Sprintf("%s, sha256 %.12s", name, r.SHA256)
}

// ErrEncoding is wrapped by the error about a bidpricescript that is not base64: the chart then runs the text of that
// error instead of a script.
var ErrEncoding = fmt.Errorf("the script is not encoded in base64, so the provider runs an error text instead of it")

// Decode turns the chart's value bidpricescript into the script's text.
func Decode(value string) ([]byte, error) {
	body, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEncoding, err)
	}
	return body, nil
}

// Encode turns a script's text into the chart's value bidpricescript. It refuses what is no text.
func Encode(body []byte) (string, error) {
	if len(body) == 0 || !utf8.Valid(body) || strings.ContainsRune(string(body), 0) {
		return "", fmt.Errorf("this is no script: it is empty or not text")
	}
	return base64.StdEncoding.EncodeToString(body), nil
}
