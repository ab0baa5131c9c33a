package main

import (
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// canary marks every secret of a script but those that the kubeconfig has.
const canary = "canary-"

// canaryEncoded is how a text that begins with the mark begins in base64, as charts write Secrets.
var canaryEncoded = base64.StdEncoding.EncodeToString([]byte(canary))[:9]

// tokenCanary is put into the kubeconfig beside its key.
const tokenCanary = "canary-token"

var keyData = regexp.MustCompile(`client-key-data: (\S+)`)

// canaries adds a token to a kubeconfig: `canaries KUBECONFIG`.
func canaries(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	marked := strings.Replace(text, "    client-key-data:", "    token: "+tokenCanary+"\n    client-key-data:", 1)
	if marked == text {
		ts.Fatalf("%s has no client-key-data", args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(marked), 0o600))
}

// secretsOf returns every text that must stand nowhere: the canaries' mark, and the kubeconfig's key, encoded and not.
func secretsOf(ts *testscript.TestScript) []string {
	key := keyData.FindStringSubmatch(ts.ReadFile("kubeconfig"))
	if key == nil {
		ts.Fatalf("the kubeconfig has no key")
	}
	decoded, err := base64.StdEncoding.DecodeString(key[1])
	ts.Check(err)
	lines := strings.Split(string(decoded), "\n")
	return []string{canary, canaryEncoded, key[1][:40], lines[1][:40]}
}

// noCanary wants that none of the files holds a secret: `no-canary stdout stderr`.
func noCanary(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		text := ts.ReadFile(name)
		for _, secret := range secretsOf(ts) {
			if strings.Contains(text, secret) {
				ts.Fatalf("%s holds the secret %q", name, secret)
			}
		}
	}
}

// filesWithoutCanary is noCanary for files and everything below directories; each must be there and hold something.
func filesWithoutCanary(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		read := 0
		ts.Check(filepath.WalkDir(ts.MkAbs(name), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			read += len(data)
			for _, secret := range secretsOf(ts) {
				if strings.Contains(string(data), secret) {
					ts.Fatalf("%s holds the secret %q", path, secret)
				}
			}
			return err
		}))
		if read == 0 {
			ts.Fatalf("%s is empty", name)
		}
	}
}
