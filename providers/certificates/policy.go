package certificates

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"upkeep/providers/strict"
)

// defaultValidity is kubeadm's CertificateValidityPeriod where the ClusterConfiguration does not set one (kubeadm
// v1beta4, cmd/kubeadm/app/constants: 365 days; before v1beta4 it could not be set).
const defaultValidity = 8760 * time.Hour

// defaultAlgorithm is kubeadm's encryptionAlgorithm where the ClusterConfiguration does not set one.
const defaultAlgorithm = "RSA-2048"

// policy is what the cluster's ClusterConfiguration says of the certificates that kubeadm issues.
type policy struct {
	validity time.Duration
	// algorithm is empty where the configuration leaves it open.
	algorithm    string
	externalEtcd bool
}

// readPolicy reads a ClusterConfiguration in YAML. It is called for every step, and so first tries to read the plain block
// form that kubeadm itself writes; whatever is not of that form goes through a YAML parser.
func readPolicy(configuration string) (policy, error) {
	fields, plain := plainFields(configuration)
	if !plain {
		var err error
		if fields, err = yamlFields(configuration); err != nil {
			return policy{}, err
		}
	}
	if fields.kind != "ClusterConfiguration" {
		return policy{}, fmt.Errorf("the ConfigMap kubeadm-config holds kind %q, not a ClusterConfiguration", fields.kind)
	}
	p := policy{validity: defaultValidity, algorithm: fields.algorithm, externalEtcd: fields.externalEtcd}
	if fields.validity != "" {
		d, err := time.ParseDuration(fields.validity)
		if err != nil || d <= 0 {
			return policy{}, fmt.Errorf("certificateValidityPeriod %q of the ClusterConfiguration is not a positive duration", fields.validity)
		}
		p.validity = d
	}
	return p, nil
}

type policyFields struct {
	kind, validity, algorithm, directory string
	externalEtcd                         bool
}

// plainFields reads YAML of the form that kubeadm writes: one block mapping whose top-level lines are `key: value`. It
// reports false for anything else, and for any value that YAML could read as something other than what it looks like.
func plainFields(configuration string) (policyFields, bool) {
	var f policyFields
	top, nested, indent, rest := "", false, -1, configuration
	etcd := false
	for rest != "" {
		line, tail, _ := strings.Cut(rest, "\n")
		rest = tail
		if line == "" {
			continue
		}
		if line[0] == ' ' {
			if !nested {
				return f, false // the whole mapping is indented, or a scalar goes on
			}
			if top != "etcd" {
				continue
			}
			if strings.ContainsAny(line, "{}[]|>\"'?&*#!\t\r") {
				return f, false
			}
			text := strings.TrimLeft(line, " ")
			if indent < 0 {
				indent = len(line) - len(text)
			}
			if len(line)-len(text) == indent && text == "external:" {
				f.externalEtcd = true
			}
			continue
		}
		key, value, found := strings.Cut(line, ":")
		if !found || !isWord(key) || !isPlain(value) {
			return f, false
		}
		top, nested, indent = key, value == "", -1
		value = strings.TrimPrefix(value, " ")
		switch key {
		case "kind":
			if value != "ClusterConfiguration" || f.kind != "" {
				return f, false
			}
			f.kind = value
		case "certificateValidityPeriod":
			if strings.Trim(value, "0123456789hms") != "" || !strings.HasSuffix(value, "s") || f.validity != "" {
				return f, false
			}
			f.validity = value
		case "encryptionAlgorithm":
			if !strings.HasPrefix(value, "RSA-") && !strings.HasPrefix(value, "ECDSA-") || f.algorithm != "" {
				return f, false
			}
			f.algorithm = value
		case "certificatesDir":
			if !strings.HasPrefix(value, "/") || f.directory != "" {
				return f, false
			}
			f.directory = value
		case "etcd":
			if value != "" || etcd {
				return f, false
			}
			etcd = true
		}
	}
	return f, true
}

// isWord reports whether s is made of letters alone, as kubeadm's keys are.
func isWord(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return s != ""
}

// isPlain reports whether what follows a key's colon is nothing, an empty collection, or one scalar without any
// character that YAML gives a meaning to.
func isPlain(value string) bool {
	if value == "" || value == " {}" || value == " []" {
		return true
	}
	if value[0] != ' ' {
		return false
	}
	for i := 1; i < len(value); i++ {
		switch c := value[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '/', c == '.', c == '_':
		case (c == '-' || c == ':') && i > 1 && i < len(value)-1:
		default:
			return false
		}
	}
	return len(value) > 1
}

func yamlFields(configuration string) (policyFields, error) {
	var m map[string]any
	err := strict.YAML([]byte(configuration), &m)
	if twice := new(strict.TwiceError); errors.As(err, &twice) {
		return policyFields{}, fmt.Errorf("the ClusterConfiguration cannot be read: %w", twice)
	}
	if err != nil {
		return policyFields{}, fmt.Errorf("the ClusterConfiguration is not YAML: %w", err)
	}
	text := func(key string) string {
		if m[key] == nil {
			return ""
		}
		return fmt.Sprint(m[key])
	}
	f := policyFields{kind: text("kind"), validity: text("certificateValidityPeriod"), algorithm: text("encryptionAlgorithm"), directory: text("certificatesDir")}
	if etcd, ok := m["etcd"].(map[string]any); ok {
		_, f.externalEtcd = etcd["external"]
	}
	return f, nil
}
