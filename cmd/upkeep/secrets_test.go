package main

import (
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// canary marks every secret of a script but those that the kubeconfig has.
const canary = "canary-"

// encodings returns the mark as it stands in other forms: in base64, also where it does not stand at the beginning of
// what is encoded, in base64 of that, and in hexadecimal.
func encodings(mark string) (out []string) {
	out = append(out, hex.EncodeToString([]byte(mark)))
	once := []string{mark}
	for range 2 {
		var next []string
		for _, text := range once {
			for before := range 3 {
				// The first characters hold what stands before, and the last ones what follows.
				encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", before) + text))
				encoded = encoded[(before*8+5)/6 : (before+len(text))*8/6]
				next = append(next, encoded)
			}
		}
		once = next
		out = append(out, next...)
	}
	return out
}

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
	return append(encodings(canary), canary, key[1][:40], lines[1][:40])
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

// TestEncodings holds the forms to what others write: each is found in its place, and nowhere by chance.
func TestEncodings(t *testing.T) {
	for _, before := range []string{"", "p", "pw", "pw=", "user:"} {
		secret := before + canary + "0123456789"
		once := base64.StdEncoding.EncodeToString([]byte(secret))
		for what, text := range map[string]string{
			"base64": once, "for URLs": base64.RawURLEncoding.EncodeToString([]byte(secret)), "hexadecimal": hex.EncodeToString([]byte(secret)),
			"twice": base64.StdEncoding.EncodeToString([]byte(once)),
		} {
			found := false
			for _, form := range encodings(canary) {
				found = found || strings.Contains(text, form)
				if len(form) < 7 {
					t.Errorf("%q is found by chance", form)
				}
			}
			if !found {
				t.Errorf("%s of %q is not found: %s", what, secret, text)
			}
		}
	}
}
