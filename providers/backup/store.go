package backup

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"upkeep/config"
	"upkeep/providers/layout"
)

// The kinds of stores, as the label of the block `store` names them.
const (
	StoreFile = "file"
	StoreNode = "node"
	StoreS3   = "s3"
)

// StoreSpec is the block `store`.
type StoreSpec struct {
	// Kind is "file", "node" or "s3".
	Kind string `json:"kind"`
	// Path is an absolute directory: of the machine that upkeep runs on, or of Node.
	Path string `json:"path,omitempty"`
	// Written is the path as the configuration has it, where that is a relative one: the same wherever the configuration lies.
	Written string `json:"written,omitempty"`
	Node    string `json:"node,omitempty"`

	Bucket   string `json:"bucket,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
	Prefix   string `json:"prefix,omitempty"`
	Region   string `json:"region,omitempty"`
	// PathStyle puts the bucket into the path of URLs.
	PathStyle bool `json:"path_style,omitempty"`
	// CAFile is the absolute path of the authorities of the service's certificate; empty: the system's.
	CAFile string `json:"ca_file,omitempty"`
	// ObjectLock is "governance" or "compliance", and LockFor how long an object is locked; empty: not at all.
	ObjectLock string          `json:"object_lock,omitempty"`
	LockFor    config.Duration `json:"lock_for,omitempty"`
	// AccessKey and SecretKey come from the block; empty: from the environment.
	AccessKey config.Secret `json:"-"`
	SecretKey config.Secret `json:"-"`
	// Sealed: the block has an access key and a secret key, whether they are here or not.
	Sealed bool `json:"sealed,omitempty"`
}

// String names the store without credentials: "file /var/backups/upkeep", "node cp1 /var/backups", "s3 bucket/prefix".
func (s StoreSpec) String() string {
	switch s.Kind {
	case StoreNode:
		return "node " + s.Node + " " + s.Path
	case StoreS3:
		name := "s3 " + s.Bucket
		if s.Prefix != "" {
			name += "/" + strings.Trim(s.Prefix, "/")
		}
		if s.Endpoint != "" {
			name += " at " + s.Endpoint
		}
		return name
	default:
		return s.Kind + " " + s.Path
	}
}

func storeSchema() config.Schema {
	return config.Schema{Attributes: []config.Attribute{
		{Name: "path", Type: cty.String, Doc: "`file`, `node`: the directory; it is made 0700. For `file` relative to the configuration directory."},
		{Name: "node", Type: cty.String, Node: true, Doc: "`node`: the name of the node."},
		{Name: "bucket", Type: cty.String, Doc: "`s3`: the bucket. It must exist."},
		{Name: "endpoint", Type: cty.String, Doc: "`s3`: the service, such as `\"s3.example.net\"`, or `\"http://127.0.0.1:9000\"` for one without TLS. Default: Amazon's."},
		{Name: "prefix", Type: cty.String, Doc: "`s3`: what stands before each name, such as `\"cluster1/\"`."},
		{Name: "region", Type: cty.String, Doc: "`s3`: the region of the bucket. Default: the service is asked."},
		{Name: "path_style", Type: cty.Bool, Default: cty.False, Doc: "`s3`: put the bucket into the path of URLs, as services without wildcard names want it."},
		{Name: "ca_file", Type: cty.String, Doc: "`s3`: a PEM file with the authorities that the service's certificate must come from, relative to the configuration directory. Default: the system's."},
		{Name: "access_key", Type: cty.String, Sensitive: true, Doc: "`s3`: the access key. Default: the environment variable AWS_ACCESS_KEY_ID."},
		{Name: "secret_key", Type: cty.String, Sensitive: true, Doc: "`s3`: the secret key. Default: AWS_SECRET_ACCESS_KEY (with AWS_SESSION_TOKEN where it is set)."},
		{Name: "object_lock", Type: cty.String, OneOf: []string{"governance", "compliance"}, Doc: "`s3`: lock each bundle against removal for `lock_for`. `governance` can be lifted by some, `compliance` by nobody. The bucket must have been made with object lock."},
		{Name: "lock_for", Type: cty.String, Doc: "`s3`: how long each bundle is locked, such as `\"30d\"`. A bundle that `keep` would remove earlier stays until then."},
	}}
}

// arguments says which arguments each kind of store takes; the first of those that are needed, and needed ones before "|".
var arguments = []struct {
	kind            string
	needed, allowed []string
}{
	{StoreFile, []string{"path"}, nil},
	{StoreNode, []string{"node", "path"}, nil},
	{StoreS3, []string{"bucket"}, []string{"endpoint", "prefix", "region", "path_style", "ca_file", "access_key", "secret_key", "object_lock", "lock_for"}},
}

func decodeStore(b config.Block) (StoreSpec, hcl.Diagnostics) {
	kind := b.Value.GetAttr("label").AsString()
	var diags hcl.Diagnostics
	add := func(argument, summary, detail string) {
		diags = append(diags, b.Diagnose(argument, summary, detail))
	}
	known := false
	for _, a := range arguments {
		if a.kind != kind {
			continue
		}
		known = true
		takes := map[string]bool{"label": true}
		for _, name := range a.needed {
			takes[name] = true
			if b.String(name) == "" {
				add(name, "Missing argument", fmt.Sprintf("A store %q needs %s.", kind, name))
			}
		}
		for _, name := range a.allowed {
			takes[name] = true
		}
		for _, attribute := range storeSchema().Attributes {
			if _, set := b.Ranges[attribute.Name]; set && !takes[attribute.Name] {
				add(attribute.Name, "Argument of another store", fmt.Sprintf("A store %q has no %s.", kind, attribute.Name))
			}
		}
	}
	if !known {
		add("", "Unknown store", fmt.Sprintf("There is no store %q. Write store \"file\", store \"node\" or store \"s3\".", kind))
		return StoreSpec{Kind: kind}, diags
	}
	s := StoreSpec{
		Kind: kind, Path: b.String("path"), Node: b.String("node"),
		Bucket: b.String("bucket"), Endpoint: b.String("endpoint"), Prefix: b.String("prefix"), Region: b.String("region"),
		PathStyle: b.Bool("path_style"), ObjectLock: b.String("object_lock"),
		AccessKey: b.Secret("access_key"), SecretKey: b.Secret("secret_key"),
	}
	if file := b.String("ca_file"); file != "" {
		s.CAFile = below(b.Directory, file)
	}
	if kind == StoreS3 {
		wrong := s.checkS3()
		for _, name := range slices.Sorted(maps.Keys(wrong)) {
			add(name, "Invalid "+name, wrong[name])
		}
	}
	switch {
	case kind == StoreFile && strings.HasPrefix(s.Path, "~"):
		add("path", "Invalid path", fmt.Sprintf("%q: a leading ~ has no meaning here. Write the directory in full, or relative to the configuration.", s.Path))
	case kind == StoreFile && s.Path != "":
		if s.Path = below(b.Directory, s.Path); !filepath.IsAbs(b.String("path")) {
			s.Written = b.String("path")
		}
	case kind == StoreNode && s.Path != "" && (!path.IsAbs(s.Path) || path.Clean(s.Path) != s.Path):
		add("path", "Not an absolute path", fmt.Sprintf("%q is a directory of a node and must be absolute and plain, such as \"/var/backups/upkeep\".", s.Path))
	}
	if system, ok := layout.SystemDirectory(s.Path); ok && path.IsAbs(s.Path) {
		add("path", "Invalid path", fmt.Sprintf("%q is in %s, which the system, Kubernetes or etcd has to itself. "+
			"Name a directory for bundles alone, such as \"/var/backups/upkeep\".", s.Path, system))
	}
	s.Sealed = !s.AccessKey.Empty() || !s.SecretKey.Empty()
	if s.AccessKey.Empty() != s.SecretKey.Empty() {
		add("access_key", "Half a pair of keys", "access_key and secret_key belong together. Give both, or neither: then they come from the environment.")
	}
	if _, set := b.Ranges["lock_for"]; set || s.ObjectLock != "" {
		lockFor, wrong := b.Duration("lock_for")
		switch {
		case b.String("lock_for") == "":
			add("lock_for", "Missing argument", `object_lock needs lock_for: how long each bundle is locked, such as "30d".`)
		case s.ObjectLock == "":
			add("lock_for", "Missing argument", `lock_for needs object_lock = "governance" or "compliance".`)
		case wrong.HasErrors():
			diags = append(diags, wrong...)
		case lockFor <= 0:
			add("lock_for", "Invalid duration", "lock_for must be longer than zero.")
		default:
			s.LockFor = lockFor
		}
	}
	return s, diags
}
