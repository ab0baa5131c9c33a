package bundle

import (
	"fmt"
	"regexp"
	"strconv"
)

// pieceSize is how much of a part one entry of the archive holds: what the writer must have in memory.
const pieceSize = 8 << 20

// The entries after the last part.
const (
	manifestEntry = "manifest.json"
	digestEntry   = "manifest.json.sha256"
)

// partLimit keeps the name of each piece within what ustar stores without extensions (100 bytes).
const partLimit = 90

var (
	partPattern  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._@-]*(?:/[A-Za-z0-9_][A-Za-z0-9._@-]*)*$`)
	piecePattern = regexp.MustCompile(`^(.+)\.([0-9]{6})$`)
)

// checkPart refuses what is not the name of a part.
func checkPart(name string) error {
	if len(name) > partLimit || !partPattern.MatchString(name) || piecePattern.MatchString(name) ||
		name == manifestEntry || name == digestEntry {
		return fmt.Errorf("%.100q is not the name of a part", name)
	}
	return nil
}

// pieceName is the name of the nth piece of a part, from 1 on.
func pieceName(part string, n int) string { return fmt.Sprintf("%s.%06d", part, n) }

// parsePiece takes pieceName apart.
func parsePiece(name string) (part string, n int, ok bool) {
	m := piecePattern.FindStringSubmatch(name)
	if m == nil || checkPart(m[1]) != nil {
		return "", 0, false
	}
	n, err := strconv.Atoi(m[2])
	return m[1], n, err == nil && n > 0
}
