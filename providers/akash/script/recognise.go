// Package script reads bid price scripts: which version one is, whether somebody changed it, which targets stand in its text,
// and which chart values say the same. It holds no script: what it knows of the published ones are digests and the words that
// tell them apart.
//
// It promises to call a script known only where all that it does is known. A line more, wherever it stands, makes it
// customised, and its version then is a guess by its features.
//
// The package is pure: it reads no file and no network.
package script

import (
	"bytes"
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
	// Known: it does exactly what that version does, but for the numbers of its targets. Without it, it is customised.
	Known bool `json:"known"`
	// Says is the word in its "# Version:" line, which is not changed with each version.
	Says string `json:"says,omitempty"`
	// SHA256 is the digest of its text; LogicSHA256 of what it does, apart from targets and comments.
	SHA256      string `json:"sha256"`
	LogicSHA256 string `json:"logic_sha256"`
	// Targets are the targets that its text sets, in its order.
	Targets []Literal `json:"targets"`
	// Features are what was found of the words that tell versions apart, the oldest first.
	Features []Feature `json:"features"`
	// PriceSource is where it asks for the price of AKT: "diadata", "imperator" (which has ended), or empty.
	PriceSource string `json:"price_source,omitempty"`
	// WindowsLines: its lines end in carriage returns, so that bash does not run it.
	WindowsLines bool `json:"windows_lines,omitempty"`
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

// Known is a script that somebody vouches for, by the digest of what it does.
type Known struct {
	LogicSHA256 string
	Version     price.Version
}

// published are the scripts of akash-network/helm-charts, charts/akash-provider/scripts/price_script_generic.sh. Several
// revisions of a version differ in what they log or check, not in their prices.
func published() []Known {
	return []Known{
		{"71960c66d70ad490ed2176813661712d8dbde942af3be10c215696566786cede", price.June14},   // a107a1e
		{"d2d4dec449b571b2a34bbdcbbc139320163e1c2bca3faac1e40084736ffe1fb6", price.June14},   // e9d3ee5
		{"830687cdc2723da8709d7273e894403521112507e191d9ab7b33d21fc0cb36c9", price.June14},   // a7a883c
		{"5846648ec1242062e6c221b9055b87c34bb5733b6e6162522d12dafbea26b787", price.June14},   // 7f33e53
		{"7dcf5da2bc958102aeca8037b02624dace17d176c307d7eeeea5f31aedd2a0be", price.June25},   // af08557, 91dc21f
		{"ac49994f9c97280a95be3512e232f60521b26f6cba76899442c081bd0805b8e5", price.Aug08},    // 873a5ab
		{"495c8872ccae448e9e653a5f7fa3291dc9641e2232cf64f06ba67e1f0785d5dc", price.Aug14},    // 8da96d6
		{"e1dc2c3d8211ef6061dce732ea5d2365b9137249c0e6c08c11e949cb87d557cb", price.Aug14},    // 7888545
		{"9daf195ee23d748ce7dfadca5d524a37d00a2fab02651cd64e917a722ce4cc04", price.Aug16},    // 2146854
		{"0c589a7db7744bf74dee68a3bf0e1700dd2e2882c52f135950cd36a7bfb59ca5", price.Sept08},   // 2fee44a
		{"b7bb9f7405133029c367c34966b1bd3218b37971737ac1c3658e8552e354ad22", price.Sept08},   // 344331f
		{"39df36b16c12aa953cd45431de40e5daac398717e8e3bcd2057895411c3a79b7", price.Sept19},   // 38bf25f
		{"5688a6c69984797a05dcff2cfc87e557e6672d6c8f75f21023b3e6834b8916c2", price.Nov03},    // b94220e
		{"621d2a549c1837fefe6926ac2dcb2db83386829003094b20054a439cd5c0d36b", price.Nov16},    // 31f9c4c
		{"486ad97bf1faedb888d1529a6ac902220597095398fc52e40066257b59a2b320", price.Feb27},    // 6463f35
		{"709cc26124a8650af11e28c4f2eb477d7c971500c12dbe11434ac1544b8faff7", price.March27},  // c762e1a
		{"834f8056aa655becf45d81fb78689912e91674f05222046a082fa9832205b127", price.April03},  // 846ca04
		{"4b951f4f6fb94ab34d99bf66d619c3d1785a6fd6147af0dc68723e875014dfa1", price.Feb04},    // 8b63285
		{"34f9a422b9f0c03769651c8d75416b771391ed59e3da6b5d5454905753f95c02", price.Feb04ACT}, // 9a15a37
	}
}

// marker is a feature and how to find it in what a script does.
type marker struct {
	since price.Version
	what  string
	find  *regexp.Regexp
}

// markers are cumulative: each version has those of the versions before it, but for the ones that replaced a literal.
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

// Recognise says which script this is. Scripts that the caller vouches for are known, too.
func Recognise(body []byte, vouched ...Known) Recognition {
	compiled, is := ReadCompiled(body)
	if !is {
		return recognise(body, vouched...)
	}
	r := recognise(compiled.Published, vouched...)
	r.SHA256, r.Policy = digest(body), &compiled.Policy
	r.Known = r.Known && compiled.Exact
	for i := range r.Targets {
		r.Targets[i].Line += compiled.Lines
	}
	return r
}

func recognise(body []byte, vouched ...Known) Recognition {
	r := Recognition{SHA256: digest(body), LogicSHA256: logicDigest(body), Targets: []Literal{}, WindowsLines: bytes.Contains(body, []byte("\r\n"))}
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
	for _, known := range append(published(), vouched...) {
		if known.LogicSHA256 == r.LogicSHA256 {
			r.Known, r.Version = true, known.Version
		}
	}
	for i, line := range lines(body) {
		line = strings.TrimRight(line, " \t\r")
		if m := literalLine.FindStringSubmatch(line); m != nil {
			r.Targets = append(r.Targets, Literal{Name: m[1], Value: m[2], Line: i + 1})
		} else if m := defaultLine.FindStringSubmatch(line); m != nil && m[1] == m[2] {
			r.Targets = append(r.Targets, Literal{Name: m[1], Value: m[3], FromValues: true, Line: i + 1})
		}
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

// Customised says whether overwriting the script would lose what somebody wrote into it. Targets do not count: Migrate takes
// them along.
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

// ErrEncoding is wrapped by the error about a bidpricescript that is not base64: the chart then runs the text of that error
// instead of a script.
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
