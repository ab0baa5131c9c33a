package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/backup/bundle"
	"upkeep/providers/backup/keep"
	"upkeep/providers/facts"
	"upkeep/providers/node/protocol"
	"upkeep/providers/strictjson"
)

// Spec is one `etcd_backup` block: what the operator declared. Plain data; it survives JSON, except for its store's secrets.
type Spec struct {
	Name   string          `json:"name"`
	Key    string          `json:"key,omitempty"`
	MaxAge config.Duration `json:"max_age"`
	// MaxAgeAt is where max_age stands.
	MaxAgeAt config.Position  `json:"max_age_at"`
	Nodes    config.Selection `json:"nodes"`
	// Endpoints are where etcd takes clients; none: on the nodes themselves.
	Endpoints []facts.EtcdEndpoint `json:"endpoints,omitempty"`
	// Include are absolute paths on the nodes.
	Include []string `json:"include,omitempty"`
	// EncryptTo are age recipients, which are public. Unencrypted is the operator's reason for having none.
	EncryptTo   []string `json:"encrypt_to,omitempty"`
	Unencrypted string   `json:"unencrypted,omitempty"`
	// IdentityFile is an absolute path; what the file holds is nowhere.
	IdentityFile string `json:"identity_file,omitempty"`
	// Verify is "hash" or "restore".
	Verify              string          `json:"verify"`
	DrillOnControlPlane bool            `json:"drill_on_control_plane,omitempty"`
	Store               StoreSpec       `json:"store"`
	Keep                keep.Policy     `json:"keep"`
	Position            config.Position `json:"position"`
}

// The levels of proof, as `verify` names them.
const (
	LevelHash    = "hash"
	LevelRestore = "restore"
)

// Address returns etcd_backup.NAME.
func (s Spec) Address() providers.Address {
	return providers.Address{Type: "etcd_backup", Name: s.Name, Key: s.Key}
}

// Needs asks for the cluster (whose name goes into a bundle), etcd, the nodes that run it, and the store.
func (s Spec) Needs() providers.Needs {
	return providers.Needs{
		Kubernetes: providers.KubernetesNeeds{Cluster: true},
		Etcd:       true,
		Nodes:      []providers.NodeNeed{{Nodes: s.Nodes, Question: facts.Question{ControlPlane: true, EtcdData: true}}},
		Stores:     []facts.BackupsQuestion{{Address: s.Address().String()}},
	}
}

// HoldsSecrets reports whether the block has credentials of its store.
func (s Spec) HoldsSecrets() bool { return s.Store.Sealed }

// Seal returns the block with the credentials of another reading of it. Nothing planned here shows or compares them, so
// nothing stands for them.
func (s Spec) Seal(from providers.Resource, _ func([]byte) string) (providers.Resource, error) {
	source, ok := from.(Spec)
	if !ok || !source.Store.Sealed {
		return nil, errors.New("the block was planned with access_key and secret_key, and the configuration no longer has them; make a new plan")
	}
	s.Store.AccessKey, s.Store.SecretKey = source.Store.AccessKey, source.Store.SecretKey
	return s, nil
}

// Seals returns nothing: nothing planned here shows the credentials.
func (s Spec) Seals() map[string]string { return nil }

// Resealed returns the block unchanged.
func (s Spec) Resealed(map[string]string) providers.Resource { return s }

// Recipients returns for whom bundles are encrypted; none where they are not.
func (s Spec) Recipients() (bundle.Recipients, error) { return bundle.ParseRecipients(s.EncryptTo) }

func decode(b config.Block) (any, hcl.Diagnostics) {
	s := Spec{
		Name: b.Name, Key: b.Key,
		MaxAgeAt:            b.Position("max_age"),
		Nodes:               b.Selection("nodes"),
		Include:             b.Strings("include"),
		EncryptTo:           b.Strings("encrypt_to"),
		Unencrypted:         strings.TrimSpace(b.String("unencrypted")),
		Verify:              b.String("verify"),
		DrillOnControlPlane: b.Bool("drill_on_control_plane"),
		Position:            config.PositionOf(b.DefRange, b.Directory),
	}
	var diags hcl.Diagnostics
	maxAge, wrong := b.Duration("max_age")
	diags = append(diags, wrong...)
	s.MaxAge = maxAge
	switch {
	case wrong.HasErrors():
	case maxAge <= 0:
		diags = append(diags, b.Diagnose("max_age", "Invalid duration", `max_age must be longer than zero: write how old the newest proved bundle may be, such as "24h".`))
	case maxAge < shortestAge || maxAge > longestAge:
		diags = append(diags, b.Diagnose("max_age", "Invalid duration", fmt.Sprintf("%s is out of range: write a duration from %s to %s.", maxAge, shortestAge, longestAge)))
	}
	if len(s.Nodes.Roles)+len(s.Nodes.Fleets)+len(s.Nodes.Names) == 0 {
		if _, set := b.Ranges["nodes"]; set {
			diags = append(diags, b.Diagnose("nodes", "No nodes", `nodes selects nothing. Write role("etcd"), or name a node block.`))
		}
		s.Nodes = config.Selection{Roles: []string{"control-plane", "etcd"}}
	}
	diags = append(diags, s.decodeEndpoints(b)...)
	diags = append(diags, s.checkInclude(b)...)
	diags = append(diags, s.checkEncryption(b)...)
	if file := b.String("identity_file"); file != "" {
		s.IdentityFile = below(b.Directory, file)
	}
	if inner, ok := b.Nested("store"); ok {
		var wrong hcl.Diagnostics
		s.Store, wrong = decodeStore(inner)
		diags = append(diags, wrong...)
	}
	if inner, ok := b.Nested("keep"); ok {
		var wrong hcl.Diagnostics
		s.Keep, wrong = decodeKeep(inner)
		diags = append(diags, wrong...)
	} else {
		s.Keep = defaultKeep()
	}
	return s, diags
}

// A backup takes minutes, and what is older than a year is no backup.
const (
	shortestAge = config.Duration(time.Minute)
	longestAge  = config.Duration(365 * 24 * time.Hour)
)

// below returns a path of the machine that upkeep runs on: relative ones are meant against the configuration directory.
func below(directory, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(directory, path)
}

func (s Spec) checkInclude(b config.Block) (diags hcl.Diagnostics) {
	seen := map[string]bool{}
	for _, p := range s.Include {
		if err := protocol.CheckCollect(p); err != nil {
			diags = append(diags, b.Diagnose("include", "Not a place of a control plane", capital(err.Error())+"."))
		} else if seen[p] {
			diags = append(diags, b.Diagnose("include", "Named twice", fmt.Sprintf("%q stands twice in include. Remove one.", p)))
		} else if outer := slices.IndexFunc(s.Include, func(o string) bool { return strings.HasPrefix(p, o+"/") }); outer >= 0 {
			diags = append(diags, b.Diagnose("include", "Named twice", fmt.Sprintf("%q is within %q, which is included. Remove one.", p, s.Include[outer])))
		}
		seen[p] = true
	}
	if len(s.Include) == 0 {
		diags = append(diags, b.Diagnose("include", "Nothing included",
			"A backup of etcd without the keys of the cluster's authorities does not bring a cluster back. Name the directories of each control plane, or remove the argument: the default is "+strings.Join(defaultInclude, ", ")+"."))
	}
	return diags
}

func (s Spec) checkEncryption(b config.Block) (diags hcl.Diagnostics) {
	if _, err := s.Recipients(); err != nil {
		diags = append(diags, b.Diagnose("encrypt_to", "Not an age recipient", capital(err.Error())+"."))
	}
	for i, recipient := range s.EncryptTo {
		if slices.Contains(s.EncryptTo[:i], recipient) {
			diags = append(diags, b.Diagnose("encrypt_to", "Named twice", fmt.Sprintf("%q stands twice in encrypt_to. Remove one.", recipient)))
		}
	}
	switch {
	case len(s.EncryptTo) == 0 && b.String("unencrypted") != "" && s.Unencrypted == "":
		diags = append(diags, b.Diagnose("unencrypted", "No reason", "unencrypted takes the reason for storing bundles that are not encrypted. Write the reason, or give encrypt_to."))
	case len(s.EncryptTo) == 0 && s.Unencrypted == "":
		diags = append(diags, b.Diagnose("encrypt_to", "Not encrypted",
			"A bundle holds every Secret of the cluster and the private keys of its authorities. Give encrypt_to at least one age recipient (`age-keygen -o key.txt` prints one; keep key.txt away from this cluster), or write unencrypted = \"reason\"."))
	case len(s.EncryptTo) > 0 && s.Unencrypted != "":
		diags = append(diags, b.Diagnose("unencrypted", "Encrypted after all", "encrypt_to names recipients, so bundles are encrypted. Remove one of the two."))
	}
	if s.Unencrypted != "" && b.String("identity_file") != "" {
		diags = append(diags, b.Diagnose("identity_file", "Nothing to open", "Bundles are not encrypted, so no identity is needed. Remove identity_file."))
	}
	return diags
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func restore(data json.RawMessage) (any, error) {
	var s Spec
	if err := strictjson.Decode(data, &s); err != nil {
		return nil, fmt.Errorf("etcd_backup block in the plan: %w", err)
	}
	return s, nil
}
