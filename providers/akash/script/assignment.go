package script

import (
	"regexp"
	"strings"
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

// Where blocks and here-documents begin and end, as far as single lines tell.
var (
	hereDocument = regexp.MustCompile(`<<-?[ \t]*["'\\]?([A-Za-z_][A-Za-z0-9_]*)`)
	opens        = regexp.MustCompile(`(?:^|[ \t;])(?:then|else|do|in|\{)[ \t]*(?:#.*)?$`)
	closes       = regexp.MustCompile(`^[ \t]*(?:fi|done|esac|end|\})(?:$|[^A-Za-z0-9_])`)
)

// unread finds every line that sets a target and is not of the published form, or is, but not as the one plain
// command of its name: in a here-document, in a function or a condition, or for the second time. A comment line sets
// nothing, unless the line before it is continued: bash then reads it as that line's end, where a hash begins a
// comment as well.
func unread(body []byte) []Unread {
	var out []Unread
	seen := map[string]bool{}
	var document string // the word that ends the here-document that a line stands in
	inside := false     // a block
	var continued string
	start := 0
	for i, line := range lines(body) {
		bare := strings.TrimRight(line, "\r")
		if document != "" && strings.TrimLeft(bare, "\t") == document {
			document = ""
			continue
		}
		if continued == "" {
			start = i
			if l, ok := target(bare); ok {
				if inside || document != "" || seen[l.Name] {
					out = append(out, Unread{Name: l.Name, Line: i + 1})
				}
				seen[l.Name] = true
				continue
			}
			if strings.HasPrefix(strings.TrimLeft(line, " \t"), "#") {
				continue
			}
		}
		if text, more := strings.CutSuffix(bare, `\`); more && document == "" {
			continued += text
			continue
		}
		whole := continued + bare
		continued = ""
		if name := sets(whole); name != "" {
			out = append(out, Unread{Name: name, Line: start + 1})
			seen[name] = true
		}
		if document == "" {
			if m := hereDocument.FindStringSubmatch(strings.ReplaceAll(whole, "<<<", "")); m != nil {
				document = m[1]
			}
			switch {
			case opens.MatchString(whole):
				inside = true
			case closes.MatchString(whole):
				inside = false
			}
		}
	}
	return out
}

// sets returns the target that a command sets; empty where it sets none.
func sets(command string) string {
	if !strings.Contains(command, "TARGET_") { // most lines, and the pattern is dear
		return ""
	}
	m := assignment.FindStringSubmatch(command)
	if m == nil {
		return ""
	}
	return strings.Join(m[1:], "")
}
