package script

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// unusable says why the provider cannot run a text; empty where it can. The provider starts the file itself, so the text must
// name its interpreter.
func unusable(body []byte) string {
	start := strings.ToLower(string(bytes.TrimSpace(body[:min(len(body), 512)])))
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return "the text is empty"
	case !utf8.Valid(body) || bytes.ContainsRune(body, 0):
		return "these bytes are not text"
	case strings.HasPrefix(start, "<!doctype") || strings.HasPrefix(start, "<html") || strings.HasPrefix(start, "<?xml") || strings.HasPrefix(start, "<head"):
		return "this is a web page"
	case strings.HasPrefix(start, "404"):
		return "this is the answer of a web server that did not find the script"
	case !bytes.HasPrefix(body, []byte("#!")):
		return "the first line does not name an interpreter, such as #!/bin/bash"
	case bytes.Contains(body, []byte("\r\n")):
		return "the lines end with carriage returns (Windows line ends); bash does not run them"
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
