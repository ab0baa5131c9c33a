package backup

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"upkeep/providers"
	"upkeep/providers/etcd"
	"upkeep/providers/facts"
)

// DatastoreSQLite is bundle.Manifest.Datastore of a bundle of k3s without etcd.
const DatastoreSQLite = "sqlite"

// DatabasePart is the name of k3s's database in a bundle, which then has no snapshot of etcd: one SQLite file.
const DatabasePart = "k3s/state.db"

// k3sInclude is where a k3s server keeps what its database is worth nothing without: the token, which encrypts the
// authorities' keys in it (k3s documentation, "Backup and Restore"), keys, the keys of encrypted Secrets, and settings.
var k3sInclude = []string{
	"/etc/rancher", "/etc/systemd/system/k3s.service", "/etc/systemd/system/k3s.service.env",
	"/var/lib/rancher/k3s/server/agent-token", "/var/lib/rancher/k3s/server/cred", "/var/lib/rancher/k3s/server/manifests",
	k3sKeys, k3sToken,
}

// What must be in the bundle of a k3s server: without the token its database cannot be used.
const (
	k3sToken = "/var/lib/rancher/k3s/server/token"
	k3sKeys  = "/var/lib/rancher/k3s/server/tls"
)

// origin is where the cluster's data is taken from: a member of etcd, or the database of a k3s server.
type origin struct {
	node   string
	member facts.Member
	// database is that of the node; without a Datastore the origin is the member.
	database facts.K3s
}

func (o origin) sqlite() bool { return o.database.Datastore == facts.K3sSQLite }

// found are the databases of k3s servers among the nodes that were asked.
type found struct {
	nodes []facts.Node
	// unknown are nodes with a k3s server of which nobody knows where it keeps its cluster.
	unknown []facts.Node
}

func (f found) none() bool { return len(f.nodes)+len(f.unknown) == 0 }

func databases(w facts.World) (f found) {
	for _, name := range w.NodeNames() {
		switch n := w.Node(name); {
		case n.Unknown != "":
		case n.K3s.Unknown != "":
			f.unknown = append(f.unknown, n)
		case n.K3s.Datastore == facts.K3sSQLite:
			f.nodes = append(f.nodes, n)
		}
	}
	return f
}

// apart says why the databases are not those of one cluster; empty: nothing says so. SQLite is one server's alone: two of
// them are two clusters, whatever the configuration calls them.
func (f found) apart(e facts.Etcd) string {
	var names []string
	for _, n := range f.nodes {
		names = append(names, n.Name)
	}
	switch {
	case len(f.nodes) > 1:
		return fmt.Sprintf("k3s on %s and on %s each keeps a database of its own: these are %d clusters", strings.Join(names[:len(names)-1], ", "), names[len(names)-1], len(names))
	case len(f.nodes) == 1 && len(e.Members) > 0:
		return fmt.Sprintf("k3s on %s keeps a database of its own, and other nodes have an etcd: these are two clusters", names[0])
	}
	return ""
}

// source picks where to take the data from, and says why there. Where there is none, why says so as well.
func source(w facts.World) (o origin, why string, err error) {
	f := databases(w)
	if apart := f.apart(w.Etcd); apart != "" {
		return origin{database: facts.K3s{Datastore: facts.K3sSQLite}}, apart, errors.New(apart)
	}
	if len(f.nodes) == 1 {
		n := f.nodes[0]
		return origin{node: n.Name, database: n.K3s}, "the database of the k3s server, which has no etcd", nil
	}
	if o.member, why, err = etcd.Source(w.Etcd); err != nil {
		why = err.Error()
		if len(w.Etcd.Members) == 0 && len(f.unknown) > 0 {
			why = f.unknown[0].Name + ": " + f.unknown[0].K3s.Unknown
			err = errors.New(why)
		}
	}
	o.node = o.member.Node
	return o, why, err
}

// originOf is source without its reasons: it says of which kind the cluster's datastore is.
func originOf(w facts.World) origin {
	o, _, _ := source(w)
	return o
}

// clusterOf returns what stands for the cluster in bundles; empty: it is not known.
func clusterOf(w facts.World) string {
	if w.Etcd.ClusterID != "" {
		return w.Etcd.ClusterID
	}
	if f := databases(w); len(f.nodes) == 1 {
		return f.nodes[0].K3s.ClusterID
	}
	return ""
}

// include returns the paths of nodes that go into a bundle: those of the block, for a k3s server its own where the block
// names none, and its token in any case.
func (o origin) include(paths []string) []string {
	switch {
	case !o.sqlite():
		return paths
	case slices.Equal(paths, defaultInclude):
		return k3sInclude
	case slices.ContainsFunc(paths, func(p string) bool { return p == k3sToken || strings.HasPrefix(k3sToken, p+"/") }):
		return paths
	}
	return append(slices.Clone(paths), k3sToken)
}

// missed returns those of the nodes without a path to which that is a gap; asked is how many nodes answered.
func (o origin) missed(path string, lacking []string, asked int) []string {
	switch {
	case !o.sqlite():
		// A path that no node has is one of another layout, unless nothing at all was found.
		if len(lacking) < asked || !slices.Contains(defaultInclude, path) {
			return lacking
		}
	case !slices.Contains(lacking, o.node): // no other node is a server
	case path == k3sToken, path == k3sKeys, !slices.Contains(k3sInclude, path):
		return []string{o.node}
	}
	return nil
}

// phrase ends "take and prove a bundle".
func (o origin) phrase() string {
	if o.sqlite() {
		return " of k3s's database on " + o.node
	}
	return ", from " + o.node
}

// lacks says what is needed before a bundle can be taken.
func (o origin) lacks() string {
	if o.sqlite() {
		return "one k3s server alone has the cluster's database"
	}
	return "etcd has a member to take it from"
}

// proof says what proves a bundle that is taken.
func (o origin) proof(level string, into StoreSpec) string {
	stored := "the stored bundle read back"
	if into.Kind == StoreFile {
		stored = "the bundle written to the disk and its digest kept"
	}
	if o.sqlite() {
		text := "SHA-256 of the database as the node read it; " + stored
		if level == LevelRestore {
			text += "; SQLite opens the copy, checks that every page and index is intact, and reads every key"
		}
		return text
	}
	text := "SHA-256 of the snapshot as the member sent it; the same hash on every member; " + stored
	if level == LevelRestore {
		text += "; a real etcd started from the snapshot holds the same revision, keys and hash"
	}
	return text
}

// proved says what a restore proves of a bundle that is stored.
func (o origin) proved() string {
	if o.sqlite() {
		return "SQLite opens its database, checks that every page and index is intact, and the keys that were saved"
	}
	return "a real etcd starts from its snapshot"
}

// checkByHand checks the snapshot or the database of a bundle that was unpacked where the shell is; checker is the program
// that looks into it, where it is there.
func (o origin) checkByHand() string {
	if o.sqlite() {
		return strings.Join([]string{
			`cat k3s/state.db.?????? >state.db`,
			`[ "$(head -c 15 state.db)" = "SQLite format 3" ] || stop "its database is damaged"`,
			`if command -v sqlite3 >/dev/null; then [ "$(sqlite3 state.db 'PRAGMA integrity_check')" = ok ] || stop "its database is damaged"; sqlite3 state.db 'SELECT max(id) FROM kine'; fi`,
		}, "\n")
	}
	return strings.Join([]string{
		`cat etcd/snapshot.db.?????? >snapshot.db`,
		`want=$(tail -c 32 snapshot.db | od -An -v -tx1 | tr -d ' \n')`,
		`[ "$(head -c -32 snapshot.db | sha256sum | cut -d' ' -f1)" = "$want" ] || stop "its snapshot is damaged"`,
		`if command -v etcdutl >/dev/null; then etcdutl snapshot restore snapshot.db --data-dir "$work/data" && etcdutl snapshot status snapshot.db -w table; fi`,
	}, "\n")
}

func (o origin) checker() string {
	if o.sqlite() {
		return "sqlite3"
	}
	return "etcdutl"
}

// databaseByHand saves the database with SQLite's own backup, which works beside a k3s that runs. Where there is no sqlite3
// k3s is stopped for the moment of a copy; containers run on meanwhile.
func databaseByHand(node string) providers.Command {
	return providers.Command{
		What: "save the database of k3s and check it", Node: node,
		Run: strings.Join([]string{
			stopFunction,
			"umask 077; mkdir -p " + handDirectory,
			"db=/var/lib/rancher/k3s/server/db",
			`[ -s "$db/state.db" ] || stop "k3s has no database here"`,
			"rm -f " + handDirectory + "/state.db*",
			"if command -v sqlite3 >/dev/null; then",
			`  sqlite3 "$db/state.db" ".timeout 30000" ".backup '` + handDirectory + `/state.db'"`,
			"  [ \"$(sqlite3 " + handDirectory + "/state.db 'PRAGMA integrity_check')\" = ok ] || stop 'the copy is damaged'",
			"else",
			"  systemctl stop k3s",
			`  cp -p "$db"/state.db* ` + handDirectory + `/ || { systemctl start k3s; stop "the copy failed"; }`,
			"  systemctl start k3s",
			"fi",
			"sha256sum " + handDirectory + "/state.db*",
		}, "\n"),
		See:  "a SHA-256 and the name of each file: state.db, and where there is no sqlite3 also state.db-wal, which belongs to it",
		Stop: "a line that begins with STOP",
		Undo: "rm -rf " + handDirectory,
	}
}

// reviewDatabases reports what is wrong with the databases of k3s servers.
func (r *review) reviewDatabases(f found) {
	for _, n := range f.unknown {
		r.add(providers.Finding{ID: "K3S_DATASTORE_UNKNOWN", Severity: providers.SeverityError, Unknown: true, Address: r.address.On(n.Name),
			Summary: n.K3s.Unknown, Hint: "what is not found cannot be backed up"})
	}
	if apart := f.apart(r.in.World.Etcd); apart != "" {
		r.add(providers.Finding{ID: "K3S_DATABASE_SEVERAL", Severity: providers.SeverityError, Summary: apart,
			Hint: "no bundle is taken: declare each cluster in a configuration of its own, or join the servers to one cluster with etcd (`k3s server --cluster-init`)"})
	}
	if len(f.nodes) == 0 || len(r.in.World.Etcd.Members) > 0 {
		r.reviewEtcd()
	}
}
