package script

import (
	"os"
	"strings"
	"testing"

	"upkeep/fixtures/notscripts"
	"upkeep/providers/akash/price"
)

func TestTextsThatAreNoScript(t *testing.T) {
	for _, test := range notscripts.All() {
		t.Run(test.Name, func(t *testing.T) {
			r := Recognise([]byte(test.Body))
			if r.Known || r.Unusable == "" || !strings.Contains(r.Unusable, test.Says) {
				t.Errorf("known is %t; it says %q, want %q", r.Known, r.Unusable, test.Says)
			}
			if err := r.CheckUsable(); err == nil || !strings.HasPrefix(err.Error(), "not a bid price script: ") {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestTextsThatAreScripts(t *testing.T) {
	for name, body := range map[string]string{
		"a small one":           notscripts.Good,
		"a blank in the first":  "#! /bin/bash\necho 5\n",
		"an option":             "#!/bin/bash -e\necho 5\n",
		"sh":                    "#!/bin/sh\necho 5\n",
		"by env":                "#!/usr/bin/env bash\necho 5\n",
		"by env, with options":  "#!/usr/bin/env -S bash -e\necho 5\n",
		"a carriage return":     "#!/bin/bash\nprintf 'a\\r'\necho 5\n",
		"a word in a comment":   "#!/bin/bash\n# {{ .values }} <<<<<<<\necho 5\n",
		"a quotation of others": "#!/bin/bash\n# “this” is ours\necho 5\n",
		"no end of the line":    "#!/bin/bash\necho 5",
	} {
		if why := Recognise([]byte(body)).Unusable; why != "" {
			t.Errorf("%s: %s", name, why)
		}
	}
}

// The beginning of a published script, as a download leaves one that broke off, is no script of somebody's own.
func TestTruncated(t *testing.T) {
	all := published()
	newest := all[len(all)-1]
	text := make([]string, leastTruncated+5)
	for i := range text {
		text[i] = "echo line"
	}
	if why := truncated([]byte(strings.Join(text, "\n"))); why != "" {
		t.Errorf("a script of somebody's own: %s", why)
	}
	dir := os.Getenv("UPKEEP_BID_SCRIPTS")
	if dir == "" {
		t.Skip("UPKEEP_BID_SCRIPTS names no directory with the published scripts")
	}
	body, err := os.ReadFile(dir + "/" + string(newest.Version) + ".sh")
	if err != nil {
		t.Fatal(err)
	}
	r := Recognise(body[:len(body)/2])
	if r.Known || !strings.Contains(r.Unusable, "lines of the published script "+string(price.Newest)) {
		t.Errorf("half of the newest script: %q", r.Unusable)
	}
	if r := Recognise(body); r.Unusable != "" {
		t.Errorf("the newest script: %s", r.Unusable)
	}
}
