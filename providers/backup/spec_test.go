package backup_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/backup"
	"upkeep/providers/backup/keep"
	"upkeep/providers/facts"
)

const recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"

// declared returns a block as the operator might write it, changed.
func declared(changes ...func(*backup.Spec)) backup.Spec {
	s := backup.Spec{
		Name: "daily", MaxAge: config.Duration(24 * time.Hour), MaxAgeAt: config.Position{File: "a.upkeep.hcl", Line: 2},
		Nodes: config.Selection{Roles: []string{"control-plane", "etcd"}}, Include: []string{"/etc/kubernetes", "/etc/ssl/etcd", "/etc/etcd.env"},
		EncryptTo: []string{recipient}, Verify: "restore", Position: config.Position{File: "a.upkeep.hcl", Line: 1},
		Store: backup.StoreSpec{Kind: backup.StoreFile, Path: "/var/backups/upkeep"}, Keep: keep.Policy{Last: 3, Daily: 30},
	}
	for _, change := range changes {
		change(&s)
	}
	return s
}

// block returns the text of a block; each change is an old and a new text.
func block(changes ...string) string {
	text := `etcd_backup "daily" {
  max_age    = "24h"
  encrypt_to = ["` + recipient + `"]
  store "file" {
    path = "/var/backups/upkeep"
  }
  keep {
    last  = 3
    daily = 30
  }
}
`
	for i := 0; i < len(changes); i += 2 {
		text = strings.Replace(text, changes[i], changes[i+1], 1)
	}
	return text
}

func load(t *testing.T, text string) (config.Desired, string, []string) {
	t.Helper()
	directory := t.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "a.upkeep.hcl"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	desired, sources, diags := config.Load(directory, config.Options{Types: []config.BlockType{backup.Type().BlockType}})
	var out []string
	for _, d := range config.Describe(diags, sources) {
		place := ""
		if d.Range != nil {
			place = filepath.Base(d.Range.Filename) + ":" + itoa(d.Range.Start.Line) + ": "
		}
		out = append(out, place+d.Summary+": "+d.Detail)
	}
	return desired, directory, out
}

func itoa(n int) string {
	data, _ := json.Marshal(n)
	return string(data)
}

// elsewhere and files are arguments for an etcd that runs on none of the nodes.
const (
	elsewhere = "  endpoints = [\"https://10.0.0.21:2379\"]\n"
	files     = "  endpoint_ca = \"/etc/etcd/ca.crt\"\n  endpoint_cert = \"/etc/etcd/client.crt\"\n  endpoint_key = \"/etc/etcd/client.key\"\n"
)

func TestDecode(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want backup.Spec
	}{
		"a directory": {block(), declared()},
		"s3": {block(`"file" {
    path = "/var/backups/upkeep"`, `"s3" {
    bucket      = "upkeep"
    endpoint    = "http://127.0.0.1:9000"
    prefix      = "one/"
    access_key  = "canary-access"
    secret_key  = "canary-secret"
    object_lock = "compliance"
    lock_for    = "30d"`), declared(func(s *backup.Spec) {
			s.Store = backup.StoreSpec{Kind: backup.StoreS3, Bucket: "upkeep", Endpoint: "http://127.0.0.1:9000", Prefix: "one/", ObjectLock: "compliance",
				LockFor: config.Duration(30 * 24 * time.Hour), Sealed: true, AccessKey: config.NewSecret("canary-access"), SecretKey: config.NewSecret("canary-secret")}
		})},
		"a node, and every rule": {block(`"file" {
    path = "/var/backups/upkeep"`, `"node" {
    node = "cp1"
    path = "/var/backups/upkeep"`, "}\n}\n", "}\n}\nnode \"cp1\" {\n  host = \"10.0.0.11\"\n}\n", "last  = 3", `last = "unlimited"
    within = "2y5m7d3h"`, "  max_age ", "  verify = \"hash\"\n  include = [\"/etc/kubernetes/pki\"]\n  max_age "), declared(func(s *backup.Spec) {
			s.Store = backup.StoreSpec{Kind: backup.StoreNode, Node: "cp1", Path: "/var/backups/upkeep"}
			s.Keep = keep.Policy{Last: keep.Unlimited, Daily: 30, Within: keep.Span{Years: 2, Months: 5, Days: 7, Hours: 3}}
			s.Verify, s.Include, s.MaxAgeAt.Line = "hash", []string{"/etc/kubernetes/pki"}, 4
		})},
		"an etcd elsewhere": {block("  store", "  endpoints = [\"https://10.0.0.21:2379/\", \"https://etcd-2:2379\"]\n  store"), declared(func(s *backup.Spec) {
			s.Endpoints = []facts.EtcdEndpoint{{URL: "https://10.0.0.21:2379"}, {URL: "https://etcd-2:2379"}}
		})},
		"an etcd elsewhere, with its files": {block("  store", elsewhere+files+"  store"), declared(func(s *backup.Spec) {
			s.Endpoints = []facts.EtcdEndpoint{{URL: "https://10.0.0.21:2379", CA: "/etc/etcd/ca.crt", Certificate: "/etc/etcd/client.crt", Key: "/etc/etcd/client.key"}}
		})},
		"not encrypted, with a reason": {block("encrypt_to = [\""+recipient+"\"]", `unencrypted = "the disk is"`), declared(func(s *backup.Spec) {
			s.EncryptTo, s.Unencrypted = nil, "the disk is"
		})},
	} {
		t.Run(name, func(t *testing.T) {
			desired, _, diags := load(t, test.text)
			if len(diags) > 0 {
				t.Fatal(diags)
			}
			got := desired.Resources[0].Value.(backup.Spec)
			if diff := cmp.Diff(test.want, got, cmp.Comparer(func(a, b config.Secret) bool { return a.Reveal() == b.Reveal() }), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			data, err := json.Marshal(desired)
			if err != nil || strings.Contains(string(data), "canary") {
				t.Fatalf("%v: %s", err, data)
			}
			restored, err := backup.Type().Restore(must(json.Marshal(got)))
			if err != nil {
				t.Fatal(err)
			}
			if got.HoldsSecrets() {
				sealed, err := restored.(backup.Spec).Seal(got, nil)
				if err != nil {
					t.Fatal(err)
				}
				restored = sealed
			}
			if diff := cmp.Diff(got, restored.(backup.Spec), cmp.Comparer(func(a, b config.Secret) bool { return a.Reveal() == b.Reveal() }), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("read back (-want +got):\n%s", diff)
			}
		})
	}
}

func must(data []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return data
}

func TestDecodeRefuses(t *testing.T) {
	file := "\"file\" {\n    path = \"/var/backups/upkeep\""
	for name, test := range map[string]struct{ text, want string }{
		"no age":               {block(`"24h"`, `"0s"`), "a.upkeep.hcl:2: Invalid duration: max_age must be longer than zero"},
		"nonsense":             {block(`"24h"`, `"a day"`), "a.upkeep.hcl:2: Invalid duration"},
		"nobody can read it":   {block("encrypt_to = [\""+recipient+"\"]\n", ""), "a.upkeep.hcl:1: Not encrypted: A bundle holds every Secret"},
		"no recipient":         {block(recipient, "age1canary"), "a.upkeep.hcl:3: Not an age recipient"},
		"a secret key":         {block(recipient, "AGE-SECRET-KEY-1CANARY"), "a.upkeep.hcl:3: Not an age recipient: A recipient is a public key"},
		"both":                 {block("  store", "  unencrypted = \"why\"\n  store"), "a.upkeep.hcl:4: Encrypted after all"},
		"no policy":            {block("    last  = 3\n    daily = 30\n", ""), "a.upkeep.hcl:7: An empty policy: The policy keeps nothing"},
		"a zero":               {block("last  = 3", "last = 0"), "a.upkeep.hcl:8: Invalid number: last: \"0\" is not a count"},
		"a fraction":           {block("last  = 3", "last = 1.5"), "a.upkeep.hcl:8: Invalid number"},
		"a span in weeks":      {block("last  = 3", "within = \"2w\""), "a.upkeep.hcl:8: Invalid span"},
		"a secret place":       {block("  store", "  include = [\"/etc/shadow\"]\n  store"), "a.upkeep.hcl:4: Not a place of a control plane: \"/etc/shadow\""},
		"out of a place":       {block("  store", "  include = [\"/etc/kubernetes/../shadow\"]\n  store"), "a.upkeep.hcl:4: Not a place of a control plane"},
		"twice":                {block("  store", "  include = [\"/etc/kubernetes\", \"/etc/kubernetes\"]\n  store"), "a.upkeep.hcl:4: Named twice"},
		"nothing":              {block("  store", "  include = []\n  store"), "a.upkeep.hcl:4: Nothing included"},
		"another store":        {block(`"file"`, `"tape"`), "a.upkeep.hcl:4: Unknown store: There is no store \"tape\""},
		"no path":              {block("    path = \"/var/backups/upkeep\"\n", ""), "a.upkeep.hcl:4: Missing argument: A store \"file\" needs path."},
		"a bucket on disk":     {block(file, file+"\n    bucket = \"b\""), "a.upkeep.hcl:6: Argument of another store: A store \"file\" has no bucket."},
		"half a pair":          {block(file, "\"s3\" {\n    bucket = \"bbb\"\n    secret_key = \"canary\""), "Half a pair of keys"},
		"a lock without end":   {block(file, "\"s3\" {\n    bucket = \"bbb\"\n    object_lock = \"governance\""), "Missing argument: object_lock needs lock_for"},
		"a relative node":      {block(file, "\"node\" {\n    node = \"cp1\"\n    path = \"backups\"") + "node \"cp1\" {\n  host = \"10.0.0.11\"\n}\n", "a.upkeep.hcl:6: Not an absolute path"},
		"no endpoint":          {block("  store", "  endpoints = []\n  store"), "a.upkeep.hcl:4: No endpoints: endpoints names none"},
		"without TLS":          {block("  store", "  endpoints = [\"http://10.0.0.21:2379\"]\n  store"), "a.upkeep.hcl:4: Not where an etcd takes clients"},
		"no port":              {block("  store", "  endpoints = [\"https://10.0.0.21\"]\n  store"), "a.upkeep.hcl:4: Not where an etcd takes clients: \"https://10.0.0.21\" names no port"},
		"one endpoint twice":   {block("  store", "  endpoints = [\"https://10.0.0.21:2379\", \"https://10.0.0.21:2379/\"]\n  store"), "a.upkeep.hcl:4: Named twice"},
		"files for nothing":    {block("  store", files+"  store"), "No endpoints: endpoint_key is for endpoints, and the block has none"},
		"a file is missing":    {block("  store", elsewhere+strings.Replace(files, "  endpoint_ca = \"/etc/etcd/ca.crt\"\n", "", 1)+"  store"), "a.upkeep.hcl:6: Missing argument: endpoint_ca, endpoint_cert and endpoint_key belong together"},
		"another's key":        {block("  store", elsewhere+strings.Replace(files, "/etc/etcd/client.key", "/root/.ssh/id_rsa", 1)+"  store"), "a.upkeep.hcl:7: Not a place of a control plane: \"/root/.ssh/id_rsa\""},
		"an age of a second":   {block(`"24h"`, `"1s"`), "a.upkeep.hcl:2: Invalid duration: 1s is out of range: write a duration from 1m to 1y."},
		"an age of ten years":  {block(`"24h"`, `"10y"`), "a.upkeep.hcl:2: Invalid duration: 10y is out of range"},
		"a recipient twice":    {block("encrypt_to = [\""+recipient+"\"]", "encrypt_to = [\""+recipient+"\", \""+recipient+"\"]"), "a.upkeep.hcl:3: Named twice"},
		"within another":       {block("  store", "  include = [\"/etc/kubernetes\", \"/etc/kubernetes/pki\"]\n  store"), "a.upkeep.hcl:4: Named twice: \"/etc/kubernetes/pki\" is within \"/etc/kubernetes\""},
		"no address":           {block("  store", "  endpoints = [\"https://10.0.0.300:2379\"]\n  store"), "a.upkeep.hcl:4: Not where an etcd takes clients"},
		"less than nothing":    {block("last  = 3", "last = -1"), "a.upkeep.hcl:8: Invalid number"},
		"a number of words":    {block("last  = 3", "last = \"many\""), "a.upkeep.hcl:8: Invalid number"},
		"a bool for a number":  {block("last  = 3", "last = true"), "a.upkeep.hcl:8: Wrong type"},
		"no span":              {block("last  = 3", "within = \"0h\""), "a.upkeep.hcl:8: Invalid span"},
		"a span of the past":   {block("last  = 3", "within = \"-2d\""), "a.upkeep.hcl:8: Invalid span"},
		"the root":             {block("/var/backups/upkeep", "/"), "a.upkeep.hcl:5: Invalid path: \"/\" is in /, which the system"},
		"in the PKI":           {block("/var/backups/upkeep", "/etc/kubernetes/pki/backups"), "a.upkeep.hcl:5: Invalid path: \"/etc/kubernetes/pki/backups\" is in /etc"},
		"in etcd's data":       {block("/var/backups/upkeep", "/var/lib/etcd"), "a.upkeep.hcl:5: Invalid path: \"/var/lib/etcd\" is in /var/lib/etcd"},
		"on a node, in /usr":   {block(file, "\"node\" {\n    node = \"cp1\"\n    path = \"/usr/share/upkeep\"") + "node \"cp1\" {\n  host = \"10.0.0.11\"\n}\n", "a.upkeep.hcl:6: Invalid path"},
		"a node of nobody":     {block(file, "\"node\" {\n    node = \"cp2\"\n    path = \"/var/backups\"") + "node \"cp1\" {\n  host = \"10.0.0.11\"\n}\n", "a.upkeep.hcl:5: Unknown node: There is no node \"cp2\". Did you mean \"cp1\"?"},
		"a device":             {block("/var/backups/upkeep", "/dev/null"), "a.upkeep.hcl:5: Invalid path"},
		"round to the system":  {block("/var/backups/upkeep", "/srv/../proc/1"), "a.upkeep.hcl:5: Invalid path"},
		"a home":               {block("/var/backups/upkeep", "~/backups"), "a.upkeep.hcl:5: Invalid path: \"~/backups\": a leading ~ has no meaning here"},
		"a bucket in capitals": {block(file, "\"s3\" {\n    bucket = \"Upper_Case\""), "a.upkeep.hcl:5: Invalid bucket"},
		"a path for a bucket":  {block(file, "\"s3\" {\n    bucket = \"bucket/one\""), "a.upkeep.hcl:5: Invalid bucket"},
		"a short bucket":       {block(file, "\"s3\" {\n    bucket = \"b\""), "a.upkeep.hcl:5: Invalid bucket"},
		"keys in an endpoint":  {block(file, "\"s3\" {\n    bucket = \"bbb\"\n    endpoint = \"https://canary:word@minio\""), "a.upkeep.hcl:6: Invalid endpoint: The address has a user or a password in it."},
		"another scheme":       {block(file, "\"s3\" {\n    bucket = \"bbb\"\n    endpoint = \"ftp://minio\""), "a.upkeep.hcl:6: Invalid endpoint"},
		"a bucket behind it":   {block(file, "\"s3\" {\n    bucket = \"bbb\"\n    endpoint = \"https://minio/bucket\""), "a.upkeep.hcl:6: Invalid endpoint: \"https://minio/bucket\" goes on behind the host"},
		"no such port":         {block(file, "\"s3\" {\n    bucket = \"bbb\"\n    endpoint = \"minio:99999\""), "a.upkeep.hcl:6: Invalid endpoint"},
		"no host":              {block(file, "\"s3\" {\n    bucket = \"bbb\"\n    endpoint = \"http://\""), "a.upkeep.hcl:6: Invalid endpoint"},
		"an absolute prefix":   {block(file, "\"s3\" {\n    bucket = \"bbb\"\n    prefix = \"/one\""), "a.upkeep.hcl:6: Invalid prefix"},
		"a prefix out of it":   {block(file, "\"s3\" {\n    bucket = \"bbb\"\n    prefix = \"../one\""), "a.upkeep.hcl:6: Invalid prefix"},
		"nothing to open":      {block("encrypt_to = [\""+recipient+"\"]", "unencrypted = \"why\"\n  identity_file = \"key.txt\""), "a.upkeep.hcl:4: Nothing to open"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, diags := load(t, test.text)
			if len(diags) != 1 || !strings.Contains(diags[0], test.want) || strings.Contains(strings.ToLower(diags[0]), "canary\"") && name != "no recipient" {
				t.Errorf("%q, want %q", diags, test.want)
			}
		})
	}
}

// Seal without the secrets that the block was planned with is an error: nothing goes on with other credentials.
func TestSealNeedsTheSecrets(t *testing.T) {
	planned := declared(func(s *backup.Spec) { s.Store = backup.StoreSpec{Kind: backup.StoreS3, Bucket: "b", Sealed: true} })
	if _, err := planned.Seal(declared(), nil); err == nil {
		t.Error("sealed without secrets")
	}
	var _ providers.SecretHolder = planned
	var _ providers.GuardProvider = planned
}
