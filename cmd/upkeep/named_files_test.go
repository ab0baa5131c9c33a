package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

const placeBackup = `
etcd_backup "daily" {
  encrypt_to    = ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]
  identity_file = "IDENTITY"
  store "s3" {
    bucket     = "bundles"
    endpoint   = "http://127.0.0.1:1"
    access_key = "a"
    secret_key = "b"
    CA
  }
}
`

// TestNamedFilesThatAreNone names what is no file, or far too much of one, in every way in which a person can name a file. The
// command ends at once with 1, names the file, and takes no memory for it.
func TestNamedFilesThatAreNone(t *testing.T) {
	nodes := "node \"cp1\" {\n  host = \"10.0.0.11\"\n  roles = [\"control-plane\", \"etcd\"]\n}\n"
	backup := func(identity, ca string) string {
		text := strings.Replace(placeBackup, "identity_file = \"IDENTITY\"", identity, 1)
		return nodes + strings.Replace(text, "CA\n", ca+"\n", 1)
	}
	provider := "akash_provider \"main\" {\n  chart {\n    version = \"6.0.5\"\n  }\n  bid_script {\n    file = \"FILE\"\n  }\n}\n"
	certificates := "certificates \"c\" {\n  nodes  = role(\"control-plane\")\n  window = \"always\"\n}\n"
	for way, test := range map[string]struct {
		configuration, line string
	}{
		"kubeconfig":      {nodes + certificates + "cluster {\n  kubeconfig = \"FILE\"\n}\n", "plan"},
		"its validation":  {nodes + certificates + "cluster {\n  kubeconfig = \"FILE\"\n}\n", "validate"},
		"identity_file":   {backup("identity_file = \"FILE\"", ""), "validate"},
		"ca_file":         {backup("", "ca_file = \"FILE\""), "backup list"},
		"state":           {nodes + certificates + "state \"local\" {\n  path = \"FILE\"\n}\n", "plan"},
		"a configuration": {nodes, "validate"}, // with FILE beside it
		"a bid script":    {provider, "validate"},
		"file()":          {"locals {\n  x = file(\"FILE\")\n}\n", "validate -trusted"},
		"-var-file":       {nodes, "validate -var-file=FILE"},
		"plan of apply":   {nodes + certificates, "apply FILE"},
		"plan of show":    {nodes, "show FILE"},
		"facts":           {nodes + certificates, "plan -facts=FILE"},
		"-targets":        {nodes, "price explain -targets=FILE -order=order.json"},
		"-script":         {nodes, "price explain -script=FILE -order=order.json"},
		"an order":        {nodes, "price explain -script-version=February-04-2025 -order=FILE"},
		"-whitelist":      {nodes, "price explain -script-version=February-04-2025 -owner=akash1 -whitelist=FILE -order=order.json"},
		"-against":        {nodes, "price explain -script-version=February-04-2025 -against=FILE -order=order.json"},
		"a market":        {nodes, "price compare FILE"},
		"a bundle":        {backup("", ""), "backup verify ./FILE"},
		"to restore":      {backup("", ""), "backup restore -to=out ./FILE"},
		"-identity":       {backup("", ""), "backup verify -identity=FILE ./order.json"},
	} {
		for kind, make := range map[string]func(path string) error{
			"socket": func(path string) error {
				l, err := net.Listen("unix", path)
				if err == nil {
					t.Cleanup(func() { _ = l.Close() })
				}
				return err
			},
			"device":    func(path string) error { return os.Symlink("/dev/zero", path) },
			"pipe":      func(path string) error { return syscall.Mkfifo(path, 0o600) },
			"nowhere":   func(path string) error { return os.Symlink("absent", path) },
			"directory": func(path string) error { return os.Mkdir(path, 0o700) },
			"gigabyte": func(path string) error {
				file, err := os.Create(path)
				if err != nil {
					return err
				}
				return errors.Join(file.Truncate(2<<30), file.Close())
			},
		} {
			if kind == "pipe" && strings.Contains(test.line, "FILE") && test.line != "backup verify ./FILE" && test.line != "backup restore -to=out ./FILE" {
				continue // who names a pipe on the command line means to write to it
			}
			switch {
			case (way == "state" || way == "identity_file" || way == "its validation") && kind == "nowhere", // where a state is made; a warning; on another machine
				(way == "a bundle" || way == "to restore") && kind == "gigabyte": // a bundle may have it
				continue
			}
			t.Run(way+", "+kind, func(t *testing.T) {
				p := place{t: t, directory: t.TempDir()}
				t.Chdir(p.directory)
				name := "named"
				if way == "a configuration" {
					name = "z.upkeep.hcl"
				}
				p.write("a.upkeep.hcl", strings.ReplaceAll(test.configuration, "FILE", name))
				p.write("order.json", `{"resources":[{"memory":17179869184,"cpu":8000,"storage":[{"class":"ephemeral","size":107374182400}],"count":2,"endpoint_quantity":3}],"price":{"denom":"uact","amount":"10000"},"price_precision":6}`)
				if err := make(filepath.Join(p.directory, name)); err != nil {
					t.Skip(err) // a directory whose name is too long for a socket
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				done := time.AfterFunc(5*time.Minute, func() { panic(way + ", " + kind + ": it hangs") })
				code, stdout, stderr := p.upkeep(strings.ReplaceAll(test.line, "FILE", name))
				done.Stop()
				runtime.ReadMemStats(&after)
				if strings.Contains(stderr, "upkeep-etcd is missing") {
					t.Skip("make build makes it")
				}
				if code != 1 || !strings.Contains(stdout+stderr, name) && !strings.Contains(stderr, "/dev/zero") {
					t.Errorf("exit code %d:\n%s%s", code, stdout, stderr)
				}
				if taken := (after.TotalAlloc - before.TotalAlloc) >> 20; taken > 96 {
					t.Errorf("it took %d MiB", taken)
				}
			})
		}
	}
}
