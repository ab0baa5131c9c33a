package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOutNeverReplaces names with -out what a command reads, keeps, or must not write to. It is refused before anything is looked
// at, and stays as it is.
func TestOutNeverReplaces(t *testing.T) {
	p := place{t: t, directory: t.TempDir()}
	t.Chdir(p.directory)
	for _, directory := range []string{"backups", "akash-archive", "chart", "chart/templates", "more"} {
		if err := os.Mkdir(filepath.Join(p.directory, directory), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p.write("a.upkeep.hcl", `
locals {
  note = file("note.txt")
}
include {
  files = ["more/*.upkeep.hcl"]
}
cluster {
  kubeconfig = "kubeconfig"
}
defaults {
  window = "always"
}
connection "c" {
  known_hosts = "known_hosts"
  identity    = "id_ed25519"
  ssh_config  = "ssh_config"
}
node "cp1" {
  host       = "10.0.0.11"
  roles      = ["control-plane", "etcd"]
  connection = connection.c
}
etcd_backup "daily" {
  encrypt_to    = ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]
  identity_file = "key.txt"
  store "file" {
    path = "backups"
  }
}
etcd_backup "far" {
  encrypt_to = ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]
  store "s3" {
    bucket  = "bundles"
    ca_file = "ca.pem"
  }
}
helm_release "r" {
  release   = "r"
  namespace = "n"
  chart {
    path = "chart"
  }
}
akash_provider "main" {
  chart {
    version = "6.0.5"
  }
  bid_script {
    file = "bid.sh"
  }
}
`)
	p.write("kubeconfig", `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1", certificate-authority: kube-ca.pem}}]
users: [{name: u, user: {client-certificate: kube.crt, client-key: kube.key, tokenFile: token}}]
`)
	p.write("bid.sh", "#!/bin/bash\necho 1\n")
	for _, name := range []string{
		"more/b.upkeep.hcl", "note.txt", "known_hosts", "id_ed25519", "ssh_config", "key.txt", "ca.pem", "vars", "x.auto.upkeepvars", "kube-ca.pem", "kube.crt",
		"kube.key", "token", "backups/a.upkeep-bundle", "akash-archive/x", "chart/Chart.yaml", "chart/templates/a.yaml",
	} {
		p.write(name, "")
	}
	socket, err := net.Listen("unix", filepath.Join(p.directory, "s"))
	if err == nil {
		defer socket.Close()
	}
	for _, link := range []struct{ name, to string }{{"link", "note.txt"}, {"linked", "backups"}, {"chain", "link"}} {
		if err := os.Symlink(link.to, filepath.Join(p.directory, link.name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link("kubeconfig", "second-name"); err != nil {
		t.Fatal(err)
	}
	before := p.contents()
	for _, name := range []string{
		"a.upkeep.hcl", "new.upkeep.hcl", "more/b.upkeep.hcl", "x.auto.upkeepvars", "vars", "note.txt", "link", "chain", "kubeconfig", "second-name", "kube-ca.pem", "kube.crt",
		"kube.key", "token", "known_hosts", "id_ed25519", "ssh_config", "key.txt", "ca.pem", "bid.sh", "upkeep.state.json", "backups/a.upkeep-bundle",
		"backups/new.upkeep-bundle", "linked/new", "akash-archive/x", "akash-archive/new", "chart/Chart.yaml", "chart/templates/new.yaml", "backups", "absent/x", "s",
	} {
		if name == "s" && err != nil {
			continue
		}
		for _, command := range []string{"plan", "observe"} {
			t.Run(command+" "+name, func(t *testing.T) {
				code, stdout, stderr := p.upkeep(command + " -var-file=vars -out=" + name)
				if code != exitError || !strings.Contains(stderr, "-out=") || strings.Contains(stderr, "no answer") {
					t.Errorf("exit %d:\n%s%s", code, stdout, stderr)
				}
				if after := p.contents(); after != before {
					t.Errorf("the files differ:\n%s\n%s", before, after)
				}
			})
		}
	}
}

// contents names each file with what it is and holds.
func (p place) contents() string {
	p.t.Helper()
	var out strings.Builder
	if err := filepath.WalkDir(p.directory, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		text := []byte{}
		if entry.Type().IsRegular() {
			if text, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		out.WriteString(path + " " + entry.Type().String() + " " + string(text) + "\n")
		return nil
	}); err != nil {
		p.t.Fatal(err)
	}
	return out.String()
}
