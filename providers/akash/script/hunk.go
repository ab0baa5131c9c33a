package script

import (
	"fmt"
	"regexp"
	"strings"
)

// Kind says what a part of a script seems to be about. It is read off the words of the lines: a help for the one who
// reads the difference, not a proof.
type Kind string

// The kinds, those that matter most first.
const (
	Filter  Kind = "filter"  // which orders and tenants the script refuses
	Floor   Kind = "floor"   // a price that the script never goes below
	Price   Kind = "price"   // how the script computes
	Log     Kind = "log"     // what the script writes down
	Comment Kind = "comment" // comments and empty lines; inside an expression they break it
)

// kindLetters are how the table of published scripts writes the kinds.
const kindLetters = "fmplc"

func kinds() []Kind { return []Kind{Filter, Floor, Price, Log, Comment} }

func (k Kind) letter() byte {
	for i, other := range kinds() {
		if k == other {
			return kindLetters[i]
		}
	}
	return 'p'
}

func kindOfLetter(letter byte) Kind {
	if i := strings.IndexByte(kindLetters, letter); i >= 0 {
		return kinds()[i]
	}
	return Price
}

var (
	filterWords = regexp.MustCompile(`(?i)AKASH_OWNER|whitelist|blacklist|allow_?list|deny_?list|\bexit\b|\breject|refus|abort|akash1[0-9a-z]`)
	floorWords  = regexp.MustCompile(`(?i)\bmin(imum)?(_|\b)|_min(imum)?\b|floor|at_?least`)
	logWords    = regexp.MustCompile(`(?i)DEBUG|\blogger\b|\btee\b|>>[ \t]*["']?(/|\$)|\.log\b`)
)

func kindOf(line string) Kind {
	trimmed := strings.TrimSpace(line)
	switch {
	case trimmed == "" || strings.HasPrefix(trimmed, "#"):
		return Comment
	case logWords.MatchString(line):
		return Log
	case filterWords.MatchString(line):
		return Filter
	case floorWords.MatchString(line):
		return Floor
	}
	return Price
}

// gravest is the kind that matters most; Comment where there is none.
func gravest(found []Kind) Kind {
	for _, k := range kinds() {
		for _, f := range found {
			if f == k {
				return k
			}
		}
	}
	return Comment
}

// Hunk is one place where a script is another text than the published one.
type Hunk struct {
	Kind Kind `json:"kind"`
	// Line is where the script's lines begin, and PublishedLine where those of the published script begin that the hunk
	// takes the place of; both from 1.
	Line          int `json:"line"`
	PublishedLine int `json:"published_line"`
	// Added are the script's lines, without what could be a secret; Removed is how many published lines are gone.
	Added   []string `json:"added,omitempty"`
	Removed int      `json:"removed,omitempty"`
}

// String names a hunk in a line: "filter: line 12 to 14 added".
func (h Hunk) String() string {
	span := func(from, n int) string {
		if n == 1 {
			return fmt.Sprintf("line %d", from)
		}
		return fmt.Sprintf("lines %d-%d", from, from+n-1)
	}
	switch {
	case h.Removed == 0:
		return fmt.Sprintf("%s: %s added", h.Kind, span(h.Line, len(h.Added)))
	case len(h.Added) == 0:
		return fmt.Sprintf("%s: published %s removed", h.Kind, span(h.PublishedLine, h.Removed))
	}
	return fmt.Sprintf("%s: %s instead of published %s", h.Kind, span(h.Line, len(h.Added)), span(h.PublishedLine,
		h.Removed))
}

// Difference is how a script differs from the published one that it is most like.
type Difference struct {
	Nearest Published `json:"-"`
	Hunks   []Hunk    `json:"hunks"`
}

// The most lines of a script that are compared: published ones have 300. A longer text is like none of them.
const maxLines = 3000

// Compare finds the published script that a text is most like, and where the text differs from it. It is false where
// the text is like none: less than half of the published lines are in it.
func Compare(body []byte, known ...Published) (Difference, bool) {
	text := lines(body)
	if len(text) > maxLines {
		return Difference{}, false
	}
	marks := make([]mark, len(text))
	has := map[string]int{}
	for i, line := range text {
		marks[i] = markOf(line)
		has[marks[i].digest]++
	}
	var nearest Published
	best, all := -1, 0
	for _, p := range append(published(), known...) {
		common := common(has, p.marks)
		// The score is what the two have in common less what either has alone.
		if score := 2*common - len(p.marks) - len(marks); best < 0 || score >= all {
			nearest, best, all = p, common, score
		}
	}
	if best < 0 || 2*best < len(nearest.marks) {
		return Difference{}, false
	}
	return Difference{Nearest: nearest, Hunks: hunks(text, marks, nearest.marks)}, true
}

func common(has map[string]int, marks []mark) (n int) {
	seen := map[string]int{}
	for _, m := range marks {
		if seen[m.digest] < has[m.digest] {
			seen[m.digest]++
			n++
		}
	}
	return n
}

// hunks are the places where lines differ, by the longest common subsequence.
func hunks(text []string, is, was []mark) []Hunk {
	// longest[i][j] is how many lines is[i:] and was[j:] have in common, in order.
	longest := make([][]uint16, len(is)+1)
	for i := range longest {
		longest[i] = make([]uint16, len(was)+1)
	}
	for i := len(is) - 1; i >= 0; i-- {
		for j := len(was) - 1; j >= 0; j-- {
			if is[i].digest == was[j].digest {
				longest[i][j] = longest[i+1][j+1] + 1
			} else {
				longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			}
		}
	}
	var out []Hunk
	for i, j := 0, 0; i < len(is) || j < len(was); {
		if i < len(is) && j < len(was) && is[i].digest == was[j].digest {
			i, j = i+1, j+1
			continue
		}
		h := Hunk{Line: i + 1, PublishedLine: j + 1}
		var about []Kind
		for (i < len(is) || j < len(was)) && (i == len(is) || j == len(was) || is[i].digest != was[j].digest) {
			if j == len(was) || i < len(is) && longest[i+1][j] >= longest[i][j+1] {
				h.Added = append(h.Added, shown(text[i]))
				about = append(about, is[i].kind)
				i++
			} else {
				h.Removed++
				about = append(about, was[j].kind)
				j++
			}
		}
		h.Kind = gravest(about)
		out = append(out, h)
	}
	return out
}

// What could be a secret: a word of sixteen and more characters that holds letters and digits, and what stands before
// the host of a URL. An address of a tenant and the name of a denomination are public.
var (
	longWord   = regexp.MustCompile(`[A-Za-z0-9+/_=-]{16,}`)
	credential = regexp.MustCompile(`://[^/@\s]*@`)
	secretWord = regexp.MustCompile(`(?i)((?:token|secret|passw\w*|api_?key)["']?[ \t:=]+)\S+|(authorization["']?[ \t:=]+)[^"']+`)
	public     = regexp.MustCompile(`^(?:akash1[0-9a-z]{38}|[A-F0-9]{64}|[A-Za-z_/-]+)$`)
)

// shownBytes is how much of a line is shown.
const shownBytes = 160

// shown is a line of a script as a report may show it.
func shown(line string) string {
	line = credential.ReplaceAllString(line, "://***@")
	line = secretWord.ReplaceAllString(line, "${1}${2}***")
	line = longWord.ReplaceAllStringFunc(line, func(word string) string {
		if public.MatchString(word) || !strings.ContainsAny(word, "0123456789") {
			return word
		}
		return "***"
	})
	if len(line) > shownBytes {
		line = strings.ToValidUTF8(line[:shownBytes], "") + "..."
	}
	return line
}
