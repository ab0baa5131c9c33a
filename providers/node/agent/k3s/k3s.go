// Package k3s finds out whether a node is a k3s server, and where that keeps its cluster.
//
// It reads the layout that k3s has unless it is told otherwise (data-dir), and tells nothing of what it reads in
// configuration files: those hold tokens and the passwords of databases.
package k3s

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"strings"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/pki"
)

// Where a k3s server keeps what it is. Source: k3s v1.35, "Architecture", "Cluster Datastore", "Backup and Restore" in its
// documentation; pkg/cluster/managed.go and pkg/etcd/etcd.go (DBDir).
const (
	server = "/var/lib/rancher/k3s/server"
	// Database is the database of a server without etcd.
	Database  = server + "/db/state.db"
	etcd      = server + "/db/etcd"
	authority = server + "/tls/server-ca.crt"
)

// settings are the files in which a server can be told to keep its cluster elsewhere; those in the directory as well.
var settings = []string{"/etc/rancher/k3s/config.yaml", "/etc/systemd/system/k3s.service", "/etc/systemd/system/k3s.service.env"}

const settingsDirectory = "/etc/rancher/k3s/config.yaml.d"

// Collect looks at a node. It always answers: zero where the node has no k3s server.
func Collect(d *disk.Disk) facts.K3s {
	if _, err := d.Dir(server); errors.Is(err, fs.ErrNotExist) {
		return facts.K3s{}
	} else if err != nil {
		return facts.K3s{Unknown: err.Error()}
	}
	told, err := told(d)
	switch {
	case err != nil:
		return facts.K3s{Unknown: "how k3s is set up could not be read: " + err.Error()}
	case told["data-dir"] != "" && strings.TrimRight(told["data-dir"], "/") != "/var/lib/rancher/k3s":
		return facts.K3s{Unknown: "k3s keeps its data elsewhere (data-dir is set), and upkeep knows /var/lib/rancher/k3s alone"}
	case strings.HasPrefix(told["datastore-endpoint"], "sqlite"):
		return facts.K3s{Unknown: "k3s is told where its database is (datastore-endpoint), and upkeep knows " + Database + " alone"}
	case told["datastore-endpoint"] != "":
		return facts.K3s{Datastore: facts.K3sExternal}
	}
	// An etcd goes before a database: k3s leaves the database behind that it moved from.
	_, err = d.Dir(etcd)
	switch {
	case err == nil:
		return facts.K3s{Datastore: facts.K3sEtcd}
	case !errors.Is(err, fs.ErrNotExist):
		return facts.K3s{Unknown: err.Error()}
	}
	info, err := d.Stat(Database)
	if errors.Is(err, fs.ErrNotExist) {
		return facts.K3s{Unknown: "there is a k3s server, and neither an etcd (" + etcd + ") nor a database (" + Database + ")"}
	}
	if err != nil {
		return facts.K3s{Unknown: err.Error()}
	}
	k := facts.K3s{Datastore: facts.K3sSQLite, Database: Database, Size: info.Size}
	if log, err := d.Stat(Database + "-wal"); err == nil {
		k.Size += log.Size
	}
	if k.ClusterID, err = clusterID(d); err != nil {
		return facts.K3s{Unknown: "which cluster this is could not be told: " + err.Error()}
	}
	return k
}

// clusterID is made of the last certificate in the file, the root: k3s's own token names the cluster by it, too.
func clusterID(d *disk.Disk) (string, error) {
	text, _, err := d.Read(authority, pki.MaxFile)
	if err != nil {
		return "", err
	}
	certs, err := pki.ParseCertificates(text)
	if err == nil && len(certs) == 0 {
		err = errors.New("it holds no certificate")
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", authority, err)
	}
	sum := sha256.Sum256(certs[len(certs)-1].Raw)
	return hex.EncodeToString(sum[:])[:16], nil
}

// setting finds what matters in any of the three spellings: YAML (config.yaml), a flag (the unit), a variable (its
// environment). Its first group is the name, its second the value or its beginning.
var setting = regexp.MustCompile(`(?:^|[\s'"])(?:--)?(datastore-endpoint|data-dir|K3S_DATASTORE_ENDPOINT|K3S_DATA_DIR)['"]?\s*[:=\s]\s*['"]?([^\s'"]*)`)

// told returns what k3s is told of its datastore and its directory.
func told(d *disk.Disk) (map[string]string, error) {
	files := settings
	dir, err := d.Dir(settingsDirectory)
	switch {
	case err == nil:
		entries, err := dir.List()
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.Info.Mode.IsRegular() && strings.HasSuffix(e.Name, ".yaml") {
				files = append(files[:len(files):len(files)], path.Join(settingsDirectory, e.Name))
			}
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	out := map[string]string{}
	for _, file := range files {
		text, _, err := d.Read(file, pki.MaxFile)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		here := map[string]string{}
		if name := find(text, here); name != "" && strings.HasSuffix(file, ".yaml") {
			return nil, fmt.Errorf("%s says %s twice, and not the same; remove one of the two", file, name)
		}
		maps.Copy(out, here)
	}
	return out, nil
}

// find adds the settings of one file, and returns one that the file says twice and not alike.
func find(text []byte, into map[string]string) (twice string) {
	// A flag and its value may stand on lines of their own in a unit.
	joined := bytes.ReplaceAll(text, []byte("\\\n"), []byte(" "))
	lines := bufio.NewScanner(bytes.NewReader(joined))
	lines.Buffer(nil, len(joined)+1)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		// The installer writes each word of a unit in quotes: '--data-dir' '/srv'.
		for _, m := range setting.FindAllStringSubmatch(line, -1) {
			name := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(m[1], "K3S_")), "_", "-")
			if m[2] == "" {
				continue
			}
			if before, said := into[name]; said && before != m[2] {
				twice = name
			}
			into[name] = m[2]
		}
	}
	return twice
}
