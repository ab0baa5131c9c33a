package script

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
)

// The lines that set a target as published scripts write them: a plain number, or what the environment says and a
// number where the environment says nothing.
var (
	literalLine = regexp.MustCompile(`^(TARGET_[A-Z_]+)="([0-9]{0,20}\.?[0-9]{1,20})"[ \t]*(#.*)?$`)
	defaultLine = regexp.MustCompile(`^(TARGET_[A-Z_]+)="\$\{PRICE_(TARGET_[A-Z_]+):-([0-9]{0,20}\.?[0-9]{1,20})\}"[ \t]*(#.*)?$`)
)

func lines(body []byte) []string { return strings.Split(string(body), "\n") }

// target reads a line that sets a target as published scripts write it.
func target(line string) (l Literal, ok bool) {
	if !strings.HasPrefix(line, "TARGET_") { // nearly every line; a regular expression takes longer to see that
		return Literal{}, false
	}
	if m := literalLine.FindStringSubmatch(line); m != nil {
		return Literal{Name: m[1], Value: m[2]}, true
	}
	if m := defaultLine.FindStringSubmatch(line); m != nil && m[1] == m[2] {
		return Literal{Name: m[1], Value: m[3], FromValues: true}, true
	}
	return Literal{}, false
}

// blank returns a line without the number of the target that it sets. Every other byte of it stays.
func blank(line string) string {
	l, ok := target(line)
	if !ok {
		return line
	}
	start := len(l.Name) + len(`="`)
	if l.FromValues {
		start += len(`${PRICE_`) + len(l.Name) + len(`:-`)
	}
	return line[:start] + "?" + line[start+len(l.Value):]
}

// formDigest is the SHA-256 of a script's bytes with a question mark for the number of each target. Every other byte
// counts, comments, space and empty lines among them: a blank behind a backslash, or a comment inside an expression,
// ends what bash would read as one command.
func formDigest(body []byte) string {
	all := lines(body)
	for i, line := range all {
		all[i] = blank(line)
	}
	return digest([]byte(strings.Join(all, "\n")))
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
