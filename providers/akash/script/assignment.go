package script

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"upkeep/providers/akash/price"
)

// Unread is a line that sets a target in a form that upkeep does not read: what the script charges by it is not known.
type Unread struct {
	Name string `json:"name"` // TARGET_CPU
	Line int    `json:"line"` // from 1
}

// assignment finds the ways in which bash sets a variable: NAME=, NAME+=, NAME[0]=, ${NAME:=...}, (( NAME = ... )),
// (( NAME++ )), (( ++NAME )), printf -v NAME, read NAME, unset NAME and their like, a reference to NAME, and a name
// that is made while the script runs.
var assignment = regexp.MustCompile(
	`(?:^|[^A-Za-z0-9_$])((?:PRICE_)?TARGET_[A-Z_]+)(?:\[[^\]]*\])?[ \t]*(?:(?:[-+*/%&|^]|<<|>>)?=(?:[^=~]|$)|\+\+|--)` +
		`|(?:\+\+|--)[ \t]*((?:PRICE_)?TARGET_[A-Z_]+)` +
		`|\$\{((?:PRICE_)?TARGET_[A-Z_]+)(?:\[[^\]]*\])?:?=` +
		`|\b(?:printf[ \t]+-v|wait\b[^;|&]*[ \t]-[A-Za-z]*p)[ \t]*["']?((?:PRICE_)?TARGET_[A-Z_]+)` +
		`|\b(?:(?:declare|local|typeset)[ \t]+-[A-Za-z]*n|read|readarray|mapfile|getopts|unset|for|select|coproc)\b` +
		`(?:[^;|&]*[ \t"'=])?[ \t]*["']?((?:PRICE_)?TARGET_[A-Z_]+)` +
		`|((?:PRICE_)?TARGET_[A-Z_]*)(?:["']*\$[A-Za-z0-9_{(]*|["']{2}[A-Z_]*)[A-Za-z0-9_})"']*\+?=`)

// unread finds every line that sets a target and is not of the published form, or is, but not as the one plain
// command of its name: in a here-document, a quotation, a function or a condition, behind the script's end, or for the
// second time. A comment line sets nothing, unless the line before it is continued: bash then reads it as that line's
// end, where a hash begins a comment as well.
func unread(body []byte) []Unread {
	var out []Unread
	seen := map[string]bool{}
	var at place
	var continued string
	start := 0
	for i, line := range lines(body) {
		bare := strings.TrimRight(line, "\r")
		document := at.inDocument(bare)
		if continued == "" {
			start = i
			if l, ok := target(bare); ok {
				if document || !at.top() || seen[l.Name] || !readName(l.Name) {
					out = append(out, Unread{Name: l.Name, Line: i + 1})
				}
				if seen[l.Name] = true; !document {
					at.read(bare)
				}
				continue
			}
			if strings.HasPrefix(strings.TrimLeft(line, " \t"), "#") && !at.quoting() {
				continue
			}
		}
		if text, more := strings.CutSuffix(bare, `\`); more && !document {
			continued += text
			continue
		}
		whole := continued + bare
		continued = ""
		if name := sets(whole); name != "" && (name != AnyTarget || !document && !at.quoting()) {
			out = append(out, Unread{Name: name, Line: start + 1})
			seen[name] = true
		}
		if !document {
			at.read(whole)
		}
	}
	return out
}

// readName says whether published scripts have a target of a name.
func readName(name string) bool {
	return name == price.UnitLiteral ||
		slices.ContainsFunc(price.NumericTargets(), func(t price.Target) bool { return t.Literal == name })
}

// AnyTarget is the name of an Unread that may be any target.
const AnyTarget = "TARGET_*"

var (
	// elsewhere finds what runs a text that is not in the script, or sets a variable whose name is not.
	elsewhere = regexp.MustCompile(`(?:^|[;&|({]|\b(?:then|do|else|builtin|command)[ \t])[ \t]*(?:` +
		`(?:source|eval)[ \t]+[^ \t]|\.[ \t]+(?:["'~/$<.]|[A-Za-z0-9_-]+\.[a-z])` +
		`|printf[ \t]+-v[ \t]*["']?\$[A-Za-z_{]` +
		`|(?:declare|typeset|local|export|readonly|read|unset|mapfile|readarray)` +
		`(?:[ \t]+-[A-Za-z]+)*[ \t]+["']?\$[A-Za-z_({]` +
		`|(?:declare|typeset|local)[ \t]+-[A-Za-z]*n[^;|&]*=["']?\$)`)
	// alike finds a variable whose name has letters that bash does not take, as they look like those that it does.
	alike = regexp.MustCompile(`^[ \t]*([\pL_][\pL\pN_]*)\+?=`)
	// mention finds the name of a target, or the beginning of one, that is not a part of another name.
	mention = regexp.MustCompile(`(?:^|[^A-Za-z0-9_])((?:PRICE_)?TARGET_[A-Z_]*)`)
	// used finds, before and behind a name, that a command only reads it.
	usedBefore = regexp.MustCompile(`(?:\$|\$\{#?|--arg(?:json)?[ \t]+|(?:\[|test)[ \t]+-v[ \t]+` +
		`|(?:^|[;&|({])[ \t]*(?:>&2[ \t]*)?(?:echo|logger|printf[ \t]+[^-])[^;|&]*)$`)
	usedBehind = regexp.MustCompile(`^[ \t]*(?:[=!]=|=~|[<>]=?(?:[^<>=]|$)|-(?:eq|ne|lt|le|gt|ge)\b)`)
	exported   = regexp.MustCompile(`^[ \t]*export(?:[ \t]+[A-Z_]+)+[ \t]*$`)
	// literally finds what bash does not look into.
	literally = regexp.MustCompile(`'[^']*'`)
	// quotes are what bash removes from a word.
	quotes = strings.NewReplacer(`"`, "", "'", "", `\`, "")
)

// sets returns the target that a command sets; empty where it sets none.
func sets(command string) string {
	if m := alike.FindStringSubmatch(command); m != nil && !ascii(m[1]) {
		return m[1]
	}
	bare := quotes.Replace(command)
	if strings.Contains(bare, "TARGET_") && !exported.MatchString(bare) { // few lines, and the patterns are dear
		if m := assignment.FindStringSubmatch(command); m != nil {
			return strings.Join(m[1:], "")
		}
		for _, m := range mention.FindAllStringSubmatchIndex(bare, -1) {
			before, behind := bare[:m[2]], bare[m[3]:]
			if !commented(before) && !calculates(before) && !usedBefore.MatchString(before) && !usedBehind.MatchString(behind) {
				return bare[m[2]:m[3]]
			}
		}
	}
	if elsewhere.MatchString(literally.ReplaceAllString(command, "''")) {
		return AnyTarget
	}
	return ""
}

func ascii(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII })
}

// commented says whether what follows a part of a command is a comment.
func commented(before string) bool {
	return strings.Contains(before, " #") || strings.Contains(before, "\t#")
}

// calculates says whether what follows a part of a command stands in arithmetic, where a bare name is a variable.
func calculates(before string) bool {
	return strings.LastIndex(before, "((") > strings.LastIndex(before, "))") || strings.LastIndex(before, "$[") >= 0
}

// String says what a line does: "line 3 sets TARGET_CPU in a form that upkeep does not read".
func (u Unread) String() string {
	if u.Name == AnyTarget {
		return fmt.Sprintf("line %d runs a text or sets a name that is not in the script; the line may set any target",
			u.Line)
	}
	return fmt.Sprintf("line %d sets %s in a form that upkeep does not read", u.Line, u.Name)
}

// Fix says what to write instead.
func (u Unread) Fix() string {
	name := strings.TrimPrefix(u.Name, "PRICE_")
	switch {
	case u.Name == AnyTarget:
		return `write each target into the script, as in TARGET_CPU="NUMBER"`
	case !ascii(name):
		return "write the name in plain letters: one of them only looks like a plain letter"
	case !readName(name):
		return "write a target that published scripts have, such as TARGET_MEMORY"
	}
	return fmt.Sprintf(`write %s="NUMBER"`, name)
}
