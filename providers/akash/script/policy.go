package script

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"upkeep/providers/akash/price"
)

// Generator is the number of the preamble that Compile writes. It grows with every change of policy.sh, and the
// digest of the one before stays in generators.
const Generator = 1

// generators are the SHA-256 of all preambles that upkeep ever wrote, without what differs between two policies: see
// logicOf.
func generators() map[int]string {
	return map[int]string{1: "95a3d3e6223d217e3d62a9690a287f47c6d6c7afcf2cfe4b7829e8d389385261"}
}

// preamble is the template of what stands before a published script. Nothing that a person writes enters it but as
// JSON, in a here-document that the shell does not expand, and the names in that are checked.
//
//go:embed policy.sh
var preamble string

const (
	policyBegin   = "<<'UPKEEP_POLICY'\n"
	policyEnd     = "\nUPKEEP_POLICY\n"
	publishedMark = "# The published script follows, byte for byte.\n"
)

// TakesPolicy reports whether a version's script can stand behind a policy: the ones that read price_target_*.
func TakesPolicy(v price.Version) bool {
	traits, known := v.Traits()
	return known && traits.Parameterised
}

// Compile writes a policy before a published script, whose bytes stay unchanged. The result is the script that the
// chart runs: it judges the order by the policy, has the published script price the order, and raises the answer to
// the minimum.
//
// It is an error where the policy does not pass Check.
func Compile(p price.Policy, version price.Version, published []byte) ([]byte, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	data, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	head := strings.NewReplacer(
		"GENERATOR", strconv.Itoa(Generator), "VERSION", string(version), "DIGEST", digest(published),
		policyBegin+"POLICY\n", policyBegin+string(data)+"\n",
	).Replace(preamble)
	return append([]byte(head), published...), nil
}

// Compiled is a script that Compile wrote, or that says so of itself.
type Compiled struct {
	// Generator wrote it. Exact: its preamble is that generator's, byte for byte, so that it does what Policy says.
	Generator int
	Exact     bool
	Policy    price.Policy
	// Version is what the first line calls the published script, Published its text, from the line after Lines.
	Version   price.Version
	Published []byte
	Lines     int
}

var firstLine = regexp.MustCompile(`^#!/bin/bash\n# upkeep policy ([0-9]{1,4}), bid script (\S{1,64}), sha256 ([0-9a-f]{64})\n`)

// ReadCompiled takes a compiled script apart; false where the text is none, or is not of a piece.
func ReadCompiled(text []byte) (Compiled, bool) {
	line := firstLine.FindSubmatch(text)
	if line == nil {
		return Compiled{}, false
	}
	head, published, marked := bytes.Cut(text, []byte(publishedMark))
	begin, rest, found := bytes.Cut(head, []byte(policyBegin))
	data, end, ended := bytes.Cut(rest, []byte(policyEnd))
	if !marked || !found || !ended || digest(published) != string(line[3]) {
		return Compiled{}, false
	}
	c := Compiled{Version: price.Version(line[2]), Published: published, Lines: bytes.Count(head, []byte("\n")) + 1}
	c.Generator, _ = strconv.Atoi(string(line[1])) // the pattern allows digits alone
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c.Policy); err != nil || c.Policy.Check() != nil {
		return Compiled{}, false
	}
	again, err := json.Marshal(c.Policy)
	if err != nil || !bytes.Equal(again, data) {
		return Compiled{}, false
	}
	known, ok := generators()[c.Generator]
	c.Exact = ok && known == logicOf(begin[len(line[0]):], end)
	return c, true
}

// logicOf is the SHA-256 of a preamble without its first line and its policy.
func logicOf(begin, end []byte) string {
	return digest(fmt.Appendf(nil, "%d %s%s", len(begin), begin, end))
}

// SamePolicy reports whether a script that a release has is the wanted one as another generator wrote it: the same
// policy before the same published script. A preamble that is no known generator's is another script, unless a newer
// upkeep wrote it.
func SamePolicy(has, wanted []byte) bool {
	one, ok := ReadCompiled(has)
	other, compiled := ReadCompiled(wanted)
	if !ok || !compiled || !one.Exact && one.Generator <= Generator || !bytes.Equal(one.Published, other.Published) {
		return false
	}
	left, err := json.Marshal(one.Policy)
	right, failed := json.Marshal(other.Policy)
	return err == nil && failed == nil && bytes.Equal(left, right)
}
