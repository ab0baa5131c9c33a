package upkeep

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// longestSentence is how many words a sentence may have: the reader is tired.
const longestSentence = 20

// sentence is the name of the rule in the list of exceptions.
const sentence = "long sentence"

var (
	// sentenceEnd is where a sentence ends: at a full stop, a question or exclamation mark, a colon, or a line.
	sentenceEnd = regexp.MustCompile("[.!?:;][)\"'`*]*\\s+|\\n|\\s[·|]\\s|\\s->\\s|\\s\\|\\s")
	// unspoken are the parts of a text that nobody reads as words: code, commands, quotations of names, addresses.
	unspoken = regexp.MustCompile("`[^`]*`|\\([^()]*\\)|\\[[^\\]]*\\]\\([^)]*\\)|https?://\\S+")
	word     = regexp.MustCompile(`\pL`)
)

// longSentences returns the sentences of a text that have too many words.
func longSentences(text string) (out []string) {
	text = unspoken.ReplaceAllString(text, " x ")
	for _, part := range sentenceEnd.Split(text, -1) {
		n := 0
		for _, w := range strings.Fields(part) {
			if word.MatchString(w) || strings.Contains(w, "%") {
				n++
			}
		}
		if n > longestSentence {
			out = append(out, fmt.Sprintf("%d words: %s", n, strings.Join(strings.Fields(part), " ")))
		}
	}
	return out
}

// notSpoken are literals that are no sentences.
var notSpoken = map[string]string{
	"cmd/upkeep/measure.go": "the programs that a script may call",
}

// TestSentencesAreShort counts the words of every sentence of the program's texts and of every page.
func TestSentencesAreShort(t *testing.T) {
	found := map[string][]string{}
	for _, s := range append(literals(t), pages(t)...) {
		if excused(s.file, sentence) || notSpoken[s.file] != "" {
			continue
		}
		for _, words := range longSentences(s.text) {
			found[s.file] = append(found[s.file], s.where+": "+words)
		}
	}
	for file, sentences := range found {
		t.Errorf("%s has %d sentences of more than %d words:\n%s", file, len(sentences), longestSentence, strings.Join(sentences, "\n"))
	}
}

// TestLongSentencesAreFound: the count sees through code and brackets, and ends a sentence where a reader breathes.
func TestLongSentencesAreFound(t *testing.T) {
	twenty := strings.TrimSpace(strings.Repeat("word ", 20))
	for text, want := range map[string]int{
		twenty + ".": 0, twenty + " word.": 1, twenty + ". " + twenty + ".": 0, twenty + " (and one more) `code that counts once`": 1,
		twenty + "; " + twenty: 0, twenty + " 12 -> 14": 0,
	} {
		if got := longSentences(text); len(got) != want {
			t.Errorf("%q has %d long sentences, want %d: %v", text, len(got), want, got)
		}
	}
}
