// Package backup is the domain of backups that are proved: the block `etcd_backup`, what it finds, the steps it plans, the
// guard it provides and the operations that carry the steps out.
//
// It has three rooms. The spec is what the operator wrote. The diff, the guard and the effects are pure: same input, same
// outcome, no clock of their own. The operations alone touch etcd, nodes and stores, through what they are given.
//
// It promises that a bundle counts only when the state remembers its proof, whatever a store says of itself; that the
// newest proved bundle is never removed, and nothing is while the clock is behind the newest bundle; and that a store or
// an etcd that could not be looked at is never called healthy.
package backup

import (
	"github.com/zclconf/go-cty/cty"

	"upkeep/config"
	"upkeep/providers"
)

// The operations of this domain.
const (
	OperationTake  = "backup.take"
	OperationProve = "backup.prove"
	OperationPrune = "backup.prune"
)

// Guard is the name of the guard that this domain provides.
const Guard = "backup"

// Type returns the domain as the planner and the language know it.
func Type() providers.Type {
	return providers.Type{
		BlockType: config.BlockType{
			Name:  "etcd_backup",
			Label: "name",
			Doc: "Backups of etcd and of the keys and configuration of every control plane, in one bundle each: taken when the " +
				"last proved one is older than `max_age`, proved, kept by policy. Declaring one provides the guard `backup`: " +
				"no disruptive step of any block runs without a proved bundle younger than `max_age`. " +
				"k3s without `--cluster-init` keeps its cluster in SQLite. The bundle then holds that database instead of a snapshot of etcd.",
			Example: example,
			Schema:  schema(),
			Decode:  decode,
			Restore: restore,
		},
		Effects: map[string]providers.Effect{
			OperationTake:  taking{},
			OperationProve: proving{},
			OperationPrune: pruning{},
			OperationCold:  takingCold{},
		},
		Findings:   findingDocs(),
		DigestArgs: digestArgs,
		Rules:      []providers.Consent{{Rule: Guard, Demands: "no disruptive step without a proved backup"}},
	}
}

const example = `etcd_backup "daily" {
  max_age    = "24h"
  encrypt_to = ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]
  verify     = "restore"

  store "s3" {
    bucket   = "upkeep"
    endpoint = "s3.example.net"
  }

  keep {
    last   = 3
    daily  = 30
    weekly = 8
  }
}
`

// defaultInclude is where kubeadm and kubespray keep keys and configuration.
var defaultInclude = []string{"/etc/kubernetes", "/etc/ssl/etcd", "/etc/etcd.env"}

func schema() config.Schema {
	return config.Schema{
		Attributes: []config.Attribute{
			{
				Name: "max_age", Type: cty.String, Default: cty.StringVal("24h"),
				Doc: "How old the newest proved bundle may be, such as `\"24h\"`. When it is older, a bundle is taken and proved.",
			},
			{
				Name: "nodes", Type: config.SelectionType,
				Doc: "The nodes that run etcd and whose keys and configuration go into a bundle. Default: the nodes with the role `etcd` or `control-plane`.",
			},
			{
				Name: "endpoints", Type: cty.List(cty.String),
				Doc: "The client endpoints of etcd, such as `[\"https://10.0.0.21:2379\"]`. Needed for an etcd on none of `nodes`, or in a place that the layout does not tell. Each is reached through the first of `nodes` that can: TLS ends there, and the client's key stays there. Default: the member of each of `nodes`, as kubeadm's manifest, `/etc/etcd.env` or k3s tells it.",
			},
			{
				Name: "endpoint_ca", Type: cty.String,
				Doc: "The file, on each of `nodes`, with the authority that signed the certificates of `endpoints`; `endpoint_cert` and `endpoint_key` go with it. Default: what the node's own member is spoken to with, else what its API server speaks to etcd with.",
			},
			{Name: "endpoint_cert", Type: cty.String, Doc: "The file, on each of `nodes`, with the certificate of a client of `endpoints`."},
			{Name: "endpoint_key", Type: cty.String, Doc: "The file, on each of `nodes`, with the key of that certificate."},
			{
				Name: "include", Type: cty.List(cty.String), Default: stringList(defaultInclude),
				Doc: "Files and directories of each node that go into a bundle. Only places of a control plane's keys and configuration are allowed. A path that no node has is left out; one that some have and others lack is a gap, and said. Of a k3s server with SQLite, unless paths are named: its token, keys, settings and manifests; its token in any case.",
			},
			{
				Name: "encrypt_to", Type: cty.List(cty.String),
				Doc: "age recipients (`age1…`, as `age-keygen` prints them); each can read the bundles alone. A bundle holds every Secret of the cluster and the keys of its authorities.",
			},
			{
				Name: "unencrypted", Type: cty.String, Lines: true,
				Doc: "The reason to store bundles that are not encrypted. Needed where `encrypt_to` is empty.",
			},
			{
				Name: "identity_file", Type: cty.String,
				Doc: "A file with the age identity of one of the recipients, on the machine that upkeep runs on; relative to the configuration directory. With it a stored bundle can be opened and proved again; without it a stored bundle is checked by the SHA-256 that the state remembers.",
			},
			{
				Name: "verify", Type: cty.String, Default: cty.StringVal("restore"), OneOf: []string{"hash", "restore"},
				Doc: "What proves a bundle. `hash`: the SHA-256 of the snapshot from etcd, an equal hash on every member, and the stored bundle read back. On a disk of this machine, without `identity_file`, a bundle is written to the disk instead. `restore`: also a real etcd, started from the snapshot where upkeep runs. Its revision, keys and hash must be those that were saved. Of a k3s server with SQLite `hash` is the SHA-256 of the database as the node read it; `restore`: that, and SQLite opens the copy, checks that every page and index is intact, and reads every key.",
			},
			{
				Name: "drill_on_control_plane", Type: cty.Bool, Default: cty.False,
				Doc: "Allow the restore drill although upkeep runs on one of the `nodes`. The drill needs memory, processor and disk as large as etcd's own database.",
			},
		},
		Blocks: []config.NestedBlock{
			{
				Name: "store", Label: "`file`: a directory of the machine that upkeep runs on; `node`: a directory of a node; `s3`: a bucket of an S3-compatible service",
				Required: true, Doc: "Where bundles are kept.", Schema: storeSchema(),
			},
			{
				Name: "keep", Schema: keepSchema(),
				Doc: "Which bundles stay, in restic's grammar: a bundle stays if any rule wants it. The newest proved bundle always stays. Without this block `last = 3`, `daily = 30` and `weekly = 8`. A block that is written needs at least one rule.",
			},
		},
	}
}

func stringList(texts []string) cty.Value {
	values := make([]cty.Value, len(texts))
	for i, text := range texts {
		values[i] = cty.StringVal(text)
	}
	return cty.ListVal(values)
}
