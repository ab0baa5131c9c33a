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

// assignment finds the ways in which bash sets a variable: NAME=, NAME+=, NAME[0]=, ${NAME:=...}, (( NAME = ... )), (( NAME++ )),
// printf -v NAME, read NAME, unset NAME.
var assignment = regexp.MustCompile(
	`(?:^|[^A-Za-z0-9_$])((?:PRICE_)?TARGET_[A-Z_]+)(?:\[[^\]]*\])?[ \t]*(?:(?:[-+*/%&|^]|<<|>>)?=(?:[^=~]|$)|\+\+|--)` +
		`|\$\{((?:PRICE_)?TARGET_[A-Z_]+):?=` +
		`|\b(?:printf[ \t]+-v|read|unset|mapfile|readarray|for)\b[^;|&]*[ \t]((?:PRICE_)?TARGET_[A-Z_]+)`)

// unread finds every line that sets a target and is not of the published form. A comment line sets nothing, unless the line
// before it is continued: bash then reads it as that line's end, where a hash begins a comment as well.
func unread(body []byte) []Unread {
	var out []Unread
	for i, line := range lines(body) {
		if !strings.Contains(line, "TARGET_") {
			continue
		}
		if _, ok := target(strings.TrimRight(line, "\r")); ok || strings.HasPrefix(strings.TrimLeft(line, " \t"), "#") {
			continue
		}
		m := assignment.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		out = append(out, Unread{Name: m[1] + m[2] + m[3], Line: i + 1})
	}
	return out
}
