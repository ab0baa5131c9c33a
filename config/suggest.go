package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// suggest returns the candidate a person most likely meant by a word, or the empty string where none is near.
func suggest(word string, candidates []string) string {
	best, bestDistance := "", 3
	if len(word) < 4 {
		bestDistance = 2
	}
	for _, candidate := range slices.Sorted(slices.Values(candidates)) {
		if candidate == word {
			continue
		}
		distance := levenshtein.Distance(strings.ToLower(word), strings.ToLower(candidate), nil)
		if strings.ReplaceAll(word, "-", "_") == candidate {
			distance = 0
		}
		if distance < bestDistance {
			best, bestDistance = candidate, distance
		}
	}
	return best
}

// Suggest returns the candidate that a person most likely meant by a word: a near one, else the only one that the word
// begins. It is empty where there is none.
func Suggest(word string, candidates []string) string {
	if near := suggest(word, candidates); near != "" || len(word) < 4 {
		return near
	}
	begun := ""
	for _, candidate := range candidates {
		switch {
		case !strings.HasPrefix(candidate, word) || candidate == word:
		case begun != "":
			return ""
		default:
			begun = candidate
		}
	}
	return begun
}

// hint returns a sentence to append to a message about a wrong word: what was meant, else what there is.
func hint(word string, candidates []string, there string) string {
	if near := suggest(word, candidates); near != "" {
		return fmt.Sprintf(" Did you mean %q?", near)
	}
	if len(candidates) == 0 {
		return ""
	}
	return fmt.Sprintf(" %s: %s.", there, list(candidates))
}

// list joins words for a sentence, sorted, and leaves out what would make it too long to read.
func list(words []string) string {
	const most = 12
	words = slices.Compact(slices.Sorted(slices.Values(words)))
	if len(words) > most {
		return strings.Join(words[:most], ", ") + fmt.Sprintf(" and %d more", len(words)-most)
	}
	return strings.Join(words, ", ")
}

// quoted returns the words in quotation marks, in the given order.
func quoted(words []string) string {
	out := make([]string, len(words))
	for i, word := range words {
		out[i] = fmt.Sprintf("%q", word)
	}
	return strings.Join(out, ", ")
}
