package k3s_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/k3s"
)

// certificate is any certificate.
func certificate(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("testdata/server-ca.crt")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestCollect(t *testing.T) {
	const server = "var/lib/rancher/k3s/server/"
	ca := certificate(t)
	sqlite := facts.K3s{Datastore: facts.K3sSQLite, ClusterID: "ID", Database: "/" + server + "db/state.db", Size: 4}
	with := func(k facts.K3s, size int64) facts.K3s { k.Size = size; return k }
	base := map[string]string{server + "db/state.db": "1234", server + "tls/server-ca.crt": ca}
	for name, test := range map[string]struct {
		files map[string]string
		want  facts.K3s
	}{
		"no server":                     {map[string]string{"var/lib/rancher/k3s/agent/x": ""}, facts.K3s{}},
		"SQLite":                        {nil, sqlite},
		"SQLite with a log":             {map[string]string{server + "db/state.db-wal": "12"}, with(sqlite, 6)},
		"etcd":                          {map[string]string{server + "db/etcd/config": ""}, facts.K3s{Datastore: facts.K3sEtcd}},
		"elsewhere, config":             {map[string]string{"etc/rancher/k3s/config.yaml": "token: x\ndatastore-endpoint: \"postgres://user:secret@db/k3s\"\n"}, facts.K3s{Datastore: facts.K3sExternal}},
		"elsewhere, another config":     {map[string]string{"etc/rancher/k3s/config.yaml.d/10-db.yaml": "datastore-endpoint: mysql://user:secret@db/k3s\n"}, facts.K3s{Datastore: facts.K3sExternal}},
		"elsewhere, unit":               {map[string]string{"etc/systemd/system/k3s.service": "ExecStart=/usr/local/bin/k3s \\\n    server \\\n\t'--datastore-endpoint' \\\n\t'postgres://user:secret@db/k3s' \\\n"}, facts.K3s{Datastore: facts.K3sExternal}},
		"elsewhere, flag with a sign":   {map[string]string{"etc/systemd/system/k3s.service": "ExecStart=/usr/local/bin/k3s server --datastore-endpoint=postgres://user:secret@db/k3s\n"}, facts.K3s{Datastore: facts.K3sExternal}},
		"elsewhere, environment":        {map[string]string{"etc/systemd/system/k3s.service.env": "K3S_DATASTORE_ENDPOINT='postgres://user:secret@db/k3s'\n"}, facts.K3s{Datastore: facts.K3sExternal}},
		"commented out":                 {map[string]string{"etc/rancher/k3s/config.yaml": "# datastore-endpoint: postgres://db\n"}, sqlite},
		"empty":                         {map[string]string{"etc/rancher/k3s/config.yaml": "datastore-endpoint: \"\"\n"}, sqlite},
		"its usual directory":           {map[string]string{"etc/rancher/k3s/config.yaml": "data-dir: /var/lib/rancher/k3s/\n"}, sqlite},
		"another directory":             {map[string]string{"etc/rancher/k3s/config.yaml": "data-dir: /srv/secret\n"}, facts.K3s{Unknown: "k3s keeps its data elsewhere (data-dir is set), and upkeep knows /var/lib/rancher/k3s alone"}},
		"told twice":                    {map[string]string{"etc/rancher/k3s/config.yaml": "datastore-endpoint: postgres://a\ndatastore-endpoint: sqlite://secret\n"}, facts.K3s{Unknown: "how k3s is set up could not be read: /etc/rancher/k3s/config.yaml says datastore-endpoint twice, and not the same; remove one of the two"}},
		"told twice alike":              {map[string]string{"etc/rancher/k3s/config.yaml": "data-dir: /var/lib/rancher/k3s\ndata-dir: /var/lib/rancher/k3s\n"}, sqlite},
		"told again elsewhere":          {map[string]string{"etc/rancher/k3s/config.yaml": "datastore-endpoint: sqlite://a\n", "etc/rancher/k3s/config.yaml.d/1.yaml": "datastore-endpoint: postgres://b\n"}, facts.K3s{Datastore: facts.K3sExternal}},
		"a database that is named":      {map[string]string{"etc/rancher/k3s/config.yaml": "datastore-endpoint: sqlite:///srv/secret.db\n"}, facts.K3s{Unknown: "k3s is told where its database is (datastore-endpoint), and upkeep knows /" + server + "db/state.db alone"}},
		"neither etcd nor a database":   {map[string]string{server + "db/state.db": "-"}, facts.K3s{Unknown: "there is a k3s server, and neither an etcd (/" + server + "db/etcd) nor a database (/" + server + "db/state.db)"}},
		"an authority that is no such":  {map[string]string{server + "tls/server-ca.crt": "x"}, facts.K3s{Unknown: "which cluster this is could not be told: …"}},
		"a server without an authority": {map[string]string{server + "tls/server-ca.crt": "-"}, facts.K3s{Unknown: "which cluster this is could not be told: …"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			files := map[string]string{}
			if name != "no server" {
				for path, text := range base {
					files[path] = text
				}
			}
			for path, text := range test.files {
				files[path] = text
			}
			for path, text := range files {
				path = filepath.Join(root, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if text == "-" {
					continue
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			d, err := disk.Open(root)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			got := k3s.Collect(d)
			document, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(document), "secret") {
				t.Errorf("facts hold what a setting says: %s", document)
			}
			if regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(got.ClusterID) {
				got.ClusterID = "ID"
			}
			if before, cut := strings.CutSuffix(test.want.Unknown, "…"); cut && strings.HasPrefix(got.Unknown, before) {
				got.Unknown = test.want.Unknown
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Whatever settings say, nothing of it but whether it is there comes out.
func FuzzSettings(f *testing.F) {
	ca := certificate(f)
	f.Add("data-dir: /srv\n")
	f.Add("ExecStart=k3s server '--datastore-endpoint' \\\n'x'")
	f.Add("K3S_DATASTORE_ENDPOINT=")
	f.Fuzz(func(t *testing.T, text string) {
		root := t.TempDir()
		for path, text := range map[string]string{
			"var/lib/rancher/k3s/server/db/state.db": "1", "var/lib/rancher/k3s/server/tls/server-ca.crt": ca, "etc/rancher/k3s/config.yaml": text,
		} {
			path = filepath.Join(root, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		d, err := disk.Open(root)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		got := k3s.Collect(d)
		if told := strings.Contains(text, "datastore-endpoint") || strings.Contains(text, "data-dir") || strings.Contains(text, "K3S_"); !told && got.Datastore != facts.K3sSQLite {
			t.Errorf("%+v without a setting", got)
		}
	})
}
