package script

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// unusable says why the provider cannot run a text; empty where it can. The provider starts the file itself, so the
// text must name its interpreter.
func unusable(body []byte) string {
	text := strings.TrimSpace(string(body))
	switch {
	case text == "":
		return "the text is empty"
	case bytes.HasPrefix(body, []byte("\xef\xbb\xbf")):
		return "the text begins with a byte order mark; save the file as UTF-8 without one"
	}
	if what := binary(body); what != "" {
		return what
	}
	if !bytes.HasPrefix(body, []byte("#!")) {
		return notScript(text)
	}
	if line := firstLineOf(string(body)); strings.HasSuffix(line, "\r") || bytes.Contains(body, []byte("\r\n")) {
		return "the lines end with carriage returns (Windows line ends); bash does not run them"
	} else if why := interpreterFault(strings.TrimPrefix(line, "#!")); why != "" {
		return why
	}
	return brokenScript(body)
}

func firstLineOf(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// binaries are the first bytes of what is no text.
var binaries = []struct{ start, what string }{
	{"\x1f\x8b", "a gzip archive"}, {"\x7fELF", "a program"}, {"PK\x03\x04", "a zip archive"}, {"%PDF-", "a PDF document"},
	{"\xff\xfe", "text in UTF-16; save the file as UTF-8"}, {"\xfe\xff", "text in UTF-16; save the file as UTF-8"},
}

func binary(body []byte) string {
	for _, b := range binaries {
		if bytes.HasPrefix(body, []byte(b.start)) {
			return "this is " + b.what
		}
	}
	if !utf8.Valid(body) || bytes.ContainsRune(body, 0) {
		return "these bytes are not text"
	}
	return ""
}

// texts are what is found where a script should be, by how the text begins.
var texts = []struct {
	start *regexp.Regexp
	what  string
}{
	{regexp.MustCompile(`(?i)^<(!doctype html|html|head|body|script|div|title)`), "this is a web page"},
	{regexp.MustCompile(`^<\?xml|^<[A-Za-z!]`), "this is a web page or XML"},
	{regexp.MustCompile(`^(HTTP/[0-9.]+ )?404\b|^Not Found`),
		"this is the answer of a web server that did not find the script"},
	{regexp.MustCompile(`^(HTTP/[0-9.]+ )?[345][0-9][0-9]\b`), "this is the error of a web server"},
	{regexp.MustCompile(`^version https://git-lfs\.github\.com/spec/`),
		"this is a git-lfs pointer; fetch the file itself with `git lfs pull`"},
	{regexp.MustCompile(`^illegal base64 data`),
		"this is the error text of the chart: its value bidpricescript is not base64"},
	{regexp.MustCompile(`^(diff --git |--- [ab/]|Index: )`), "this is a patch; apply the patch to the script first"},
	{regexp.MustCompile("^(```|~~~)"), "this is Markdown; save only the script"},
	{regexp.MustCompile(`^-----BEGIN `), "this is a key, a certificate or an encrypted file"},
	{regexp.MustCompile(`^age-encryption\.org/`), "this is an encrypted file"},
	{regexp.MustCompile(`^(curl|wget): `), "this is the error text of a download"},
	{regexp.MustCompile(`^(---\n|apiVersion:|bidpricescript:|price_target_[a-z_]+:|[A-Za-z_][A-Za-z0-9_.-]*:( |\n)[^\n]*\n)`),
		"this is YAML, such as a values file"},
	{regexp.MustCompile(`^\.{0,2}/?([A-Za-z0-9._-]+/)*[A-Za-z0-9._-]+\.sh$`),
		"this is the name of a file, as a link that was copied as text"},
	{regexp.MustCompile(`^(import|from) [A-Za-z_.]+|^(def|class) [A-Za-z_]+`), "this is a Python file"},
	{regexp.MustCompile(`(?i)^(@echo|rem |param ?\(|\$[A-Za-z_]+ *=)`), "this is a script for Windows"},
}

// notScript says what a text is whose first line names no interpreter.
func notScript(text string) string {
	if json.Valid([]byte(text)) {
		return "this is JSON, such as the error of a web server"
	}
	for _, t := range texts {
		if t.start.MatchString(text) {
			return t.what
		}
	}
	if strings.HasPrefix(text, "#!") {
		return "the first line is empty or begins with a blank; the text must begin with #!/bin/bash"
	}
	if times := encodings(text); times > 0 {
		return fmt.Sprintf("this is a script encoded in base64 (%d times); upkeep encodes the script itself", times)
	}
	return "the first line does not name an interpreter, such as #!/bin/bash"
}

// mostEncodings is how often a text is decoded to find a script in it.
const mostEncodings = 4

// encodings counts how often a script is encoded in base64; 0 where no script is found.
func encodings(text string) int {
	for n := 1; n <= mostEncodings; n++ {
		decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil {
			return 0
		}
		if text = strings.TrimSpace(string(decoded)); strings.HasPrefix(text, "#!") {
			return n
		}
	}
	return 0
}

// interpreters are what the provider's image has for scripts.
var interpreters = []string{"/bin/bash", "/usr/bin/bash", "/bin/sh", "/usr/bin/sh", "/bin/dash", "/usr/bin/dash"}

// interpreterFault judges what stands behind #! in the first line; empty where the provider's image can run it.
func interpreterFault(line string) string {
	words := strings.Fields(line)
	if len(words) > 0 && slices.Contains([]string{"/usr/bin/env", "/bin/env"}, words[0]) {
		words = words[1:]
		if len(words) > 0 && words[0] == "-S" {
			words = words[1:]
		}
		if len(words) > 0 && slices.Contains([]string{"bash", "sh", "dash"}, words[0]) {
			return ""
		}
	}
	switch {
	case len(words) == 0:
		return "the first line does not name an interpreter, such as #!/bin/bash"
	case slices.Contains(interpreters, words[0]):
		return ""
	}
	return fmt.Sprintf("the first line names the interpreter %s, and the provider's image has bash and sh; write #!/bin/bash",
		shown(words[0]))
}

var (
	conflict   = regexp.MustCompile(`(?m)^(<<<<<<< |>>>>>>> )`)
	placehold  = regexp.MustCompile(`\{\{-? *(\.Values|\.Release|include |tpl )`)
	blankChars = "\u00a0\u200b\ufeff\u2028"
)

// brokenScript says what is wrong with a script that an interpreter is named for.
func brokenScript(body []byte) string {
	commands := false
	for i, line := range lines(body) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		commands = true
		if strings.ContainsAny(line, blankChars) {
			return fmt.Sprintf("line %d has an invisible character or a special blank, as copied out of a web page", i+1)
		}
	}
	switch {
	case !commands:
		return "there is no command in the script, so it prints no price"
	case conflict.Match(body):
		return "the script has the marks of a merge conflict"
	case placehold.Match(body):
		return "this is a template for Helm: its placeholders are not replaced"
	}
	return truncated(body)
}

// leastTruncated is how many lines of a published script must be there to call the text a part of that script.
const leastTruncated = 20

// truncated says that a text is only the beginning of a published script, as a download leaves one that broke off.
func truncated(body []byte) string {
	all := lines(body)
	n := len(all) - 1 // the last line may be a part of one
	if n < leastTruncated {
		return ""
	}
	has := func(p Published) bool {
		for i, line := range all[:n] {
			if markOf(line).digest != p.marks[i].digest {
				return false
			}
		}
		return true
	}
	last := markOf(all[n-1]).digest
	rows := strings.Split(strings.TrimSpace(publishedTable), "\n")
	for _, row := range slices.Backward(rows) { // the newest of those that begin alike
		if !markedAt(row, n-1, last) {
			continue
		}
		if p, ok := parsePublished(row); ok && len(p.marks) > len(all) && has(p) {
			return fmt.Sprintf("the text is the first %d of %d lines of the published script %s; fetch the script again",
				n, len(p.marks)-1, p.Version)
		}
	}
	return ""
}

// CheckUsable returns an error where the provider could not run the script.
func (r Recognition) CheckUsable() error {
	if r.Unusable == "" {
		return nil
	}
	return fmt.Errorf("not a bid price script: %s", r.Unusable)
}
