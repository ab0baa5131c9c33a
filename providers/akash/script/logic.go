package script

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
)

// The lines that set a target: as a plain number, or as what the environment says and a number where it says nothing.
var (
	literalLine = regexp.MustCompile(`^(TARGET_[A-Z_]+)="([0-9]*\.?[0-9]+)"[ \t]*(#.*)?$`)
	defaultLine = regexp.MustCompile(`^(TARGET_[A-Z_]+)="\$\{PRICE_(TARGET_[A-Z_]+):-([0-9]*\.?[0-9]+)\}"[ \t]*(#.*)?$`)
)

func lines(body []byte) []string { return strings.Split(string(body), "\n") }

// logicDigest is the SHA-256 of what a script does, apart from its targets: without empty lines, lines that are a comment, space
// at line ends, and the numbers of target lines. What is within a target line but is no number stays, so that a command hidden
// there changes the digest. So do Windows line ends, which bash does not understand.
func logicDigest(body []byte) string {
	var logic strings.Builder
	for _, line := range lines(body) {
		line = strings.TrimRight(line, " \t")
		if trimmed := strings.TrimLeft(line, " \t"); trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		if m := literalLine.FindStringSubmatch(line); m != nil {
			line = m[1] + "=number"
		} else if m := defaultLine.FindStringSubmatch(line); m != nil && m[1] == m[2] {
			line = m[1] + "=environment or number"
		}
		logic.WriteString(line)
		logic.WriteByte('\n')
	}
	return digest([]byte(logic.String()))
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
