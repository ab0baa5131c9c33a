package price

import (
	"strings"
)

// Whitelist is what a script has of the list of tenants behind WHITELIST_URL: all versions refuse an order whose
// owner is not there.
type Whitelist struct {
	// Text is the list as it was fetched; Missing says that it was not, and that none is left from before. The script then
	// refuses everybody.
	Text    string `json:"-"`
	Missing bool   `json:"missing,omitempty"`
}

// lists reports whether grep -w finds an owner in the list: as a complete word, of letters, digits and underscores.
func (w Whitelist) lists(owner string) bool {
	for line := range strings.Lines(w.Text) {
		for at := 0; ; {
			i := strings.Index(line[at:], owner)
			if i < 0 {
				break
			}
			begin, end := at+i, at+i+len(owner)
			if (begin == 0 || !inWord(line[begin-1])) && (end == len(line) || !inWord(line[end])) {
				return true
			}
			at = begin + 1
		}
	}
	return false
}

func inWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// listed is the script's first act: it refuses an order whose owner is not on its list, before it reads the order.
func (r *run) listed() (bool, error) {
	w, owner := r.setting.Whitelist, r.setting.Owner
	if w == nil {
		return true, nil
	}
	if owner == "" || strings.ContainsFunc(owner, func(c rune) bool { return c > 127 || !inWord(byte(c)) }) {
		return false, unmodelled("the owner %q, which grep takes for a pattern", owner)
	}
	if w.Missing {
		r.fault("grep cannot read the whitelist")
	} else if w.lists(owner) {
		return true, nil
	}
	r.fail(owner + " is not whitelisted")
	if r.traits.input != objectInput {
		r.result.Stderr += "\n" // echo, and since Aug-16-2023 echo -n
	}
	return false, nil
}
