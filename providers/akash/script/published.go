package script

import (
	_ "embed" // the table of published scripts
	"slices"
	"strings"

	"upkeep/providers/akash/price"
)

// Published is a script that Akash published, or that the caller knows.
type Published struct {
	Version price.Version
	// Revision is the commit of akash-network/helm-charts that first held it.
	Revision string
	// SHA256 is that of its text, Form that of the text without the numbers of its targets.
	SHA256, Form string
	// marks are a digest and a kind for each line.
	marks []mark
}

// mark stands for a line of a published script: the beginning of the line's digest, and what the line is about.
type mark struct {
	digest string
	kind   Kind
}

// markDigits are how many hexadecimal digits of a line's digest are kept: two lines of one script are not taken for
// one another.
const markDigits = 8

// published.txt has a line for each body of charts/akash-provider/scripts/price_script_generic.sh that was ever on
// the branch main of akash-network/helm-charts since GPUs have prices: version, commit, SHA-256, SHA-256 without the
// targets' numbers, and for each line the beginning of its digest and a letter for its kind. `go test -run
// TestPublishedTable -update -bodies=DIR` writes it from those bodies.
//
//go:embed published.txt
var publishedTable string

// published are the scripts that Akash published, the oldest first. Several revisions of a version differ in what
// they log or check, not in their prices.
func published() []Published {
	var out []Published
	for line := range strings.Lines(publishedTable) {
		if p, ok := parsePublished(strings.TrimSpace(line)); ok {
			out = append(out, p)
		}
	}
	return out
}

// versionOfForm returns the version of the published script with this form; false where no script with the form was
// published. It reads only the first four words of each line: a script is recognised at each look at a provider.
func versionOfForm(form string) (price.Version, bool) {
	for line := range strings.Lines(publishedTable) {
		var words [4]string
		for i := range words {
			words[i], line, _ = strings.Cut(line, " ")
		}
		if words[3] == form {
			return price.Version(words[0]), true
		}
	}
	return "", false
}

// markedAt reports whether a line of the table has a mark with this digest at an index. It makes no marks: each look
// at a provider asks it, of all lines.
func markedAt(line string, index int, digest string) bool {
	marks := line[strings.LastIndexByte(line, ' ')+1:]
	at := index * (markDigits + 1)
	return at < len(marks) && strings.HasPrefix(marks[at:], digest)
}

func parsePublished(line string) (Published, bool) {
	fields := strings.Fields(line)
	if len(fields) != 5 {
		return Published{}, false
	}
	p := Published{Version: price.Version(fields[0]), Revision: fields[1], SHA256: fields[2], Form: fields[3]}
	for marks := fields[4]; len(marks) > markDigits; marks = marks[markDigits+1:] {
		p.marks = append(p.marks, mark{marks[:markDigits], kindOfLetter(marks[markDigits])})
	}
	return p, true
}

// String is the line of the table.
func (p Published) String() string {
	var marks strings.Builder
	for _, m := range p.marks {
		marks.WriteString(m.digest)
		marks.WriteByte(m.kind.letter())
	}
	return strings.Join([]string{string(p.Version), p.Revision, p.SHA256, p.Form, marks.String()}, " ")
}

// PublishedOf describes a body that the caller knows.
func PublishedOf(body []byte, version price.Version, revision string) Published {
	p := Published{Version: version, Revision: revision, SHA256: digest(body), Form: formDigest(body)}
	for _, line := range lines(body) {
		p.marks = append(p.marks, markOf(line))
	}
	return p
}

func markOf(line string) mark {
	return mark{digest([]byte(blank(line)))[:markDigits], kindOf(line)}
}

// publishedPath is where the repository has the script, in every revision.
const publishedPath = "charts/akash-provider/scripts/price_script_generic.sh"

// URL is where the text stands.
func (p Published) URL() string {
	return "https://raw.githubusercontent.com/akash-network/helm-charts/" + p.Revision + "/" + publishedPath
}

// PublishedScripts returns the newest published revision of every version, the oldest version first.
func PublishedScripts() []Published {
	var out []Published
	for _, p := range published() {
		if n := len(out); n > 0 && out[n-1].Version == p.Version {
			out = out[:n-1]
		}
		out = append(out, p)
	}
	return out
}

// PublishedAs returns the published script of a version.
func PublishedAs(version price.Version) (Published, bool) {
	return firstPublished(func(p Published) bool { return p.Version == version })
}

// PublishedWith returns the published script whose text has a SHA-256.
func PublishedWith(sha256 string) (Published, bool) {
	return firstPublished(func(p Published) bool { return p.SHA256 == sha256 })
}

func firstPublished(is func(Published) bool) (Published, bool) {
	all := PublishedScripts()
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i], true
	}
	return Published{}, false
}
