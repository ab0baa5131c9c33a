// Package objects compares Kubernetes objects as JSON trees: what a chart rendered with what the cluster holds (Drift),
// and one rendering with another (Changes).
//
// It is pure and knows no cluster. It promises that no secret is in what it returns: values of Secrets and values
// that the caller's Redaction knows are replaced by a keyed digest, and long texts by a plain one.
package objects

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"upkeep/providers/facts"
	"upkeep/providers/helm/values"
)

// Object is one object as JSON knows it.
type Object = map[string]any

// longest is how long a text may be before its digest stands for it.
const longest = 200

// Redaction hides secrets.
type Redaction struct {
	// MAC makes the digests that stand for secrets.
	MAC values.MAC
	// Names are patterns of path.Match for names of variables and keys that hold secrets, besides suspicious ones.
	Names []string
	// Secrets are texts that must not appear anywhere.
	Secrets []string
	// Unknown are texts of which nobody knows whether they are secrets. They appear where Kubernetes itself has names
	// alone.
	Unknown []string
	// Keys are the keys of values of which nobody knows whether they are secrets. A chart may make names of them.
	Keys []string
	// Shown are patterns of path.Match for names of variables and keys that hold no secrets, and Known are texts that are
	// none. What else a variable, an argument or a key of a ConfigMap holds may be one.
	Shown, Known []string
}

// Hides reports whether the value of a variable or key must be hidden.
func (v Redaction) Hides(name, value string) bool {
	if values.Suspicious(name) {
		return true
	}
	for _, pattern := range v.Names {
		if ok, err := path.Match(pattern, name); name == pattern || err == nil && ok {
			return true
		}
	}
	for _, secret := range v.Secrets {
		if strings.Contains(value, secret) {
			return true
		}
	}
	return false
}

// Text returns the value of a variable or key where it is known to be no secret, else its seal.
func (v Redaction) Text(name, value string) string {
	if value != "" && (v.Hides(name, value) || !v.shows(name, value)) {
		return values.Seal(v.MAC, value)
	}
	return value
}

// key returns a key as it is shown: as it is, unless it is a secret, or may be one.
func (v Redaction) key(key string) string {
	secret := slices.ContainsFunc(v.Secrets, func(secret string) bool { return strings.Contains(key, secret) })
	unknown := slices.ContainsFunc(v.Keys, func(unknown string) bool { return strings.Contains(key, unknown) })
	shown := slices.ContainsFunc(v.Shown, func(pattern string) bool {
		ok, err := path.Match(pattern, key)
		return err == nil && ok
	})
	if secret || unknown && !shown {
		return values.Seal(v.MAC, key)
	}
	return key
}

// shows reports whether the value of a variable or key is known to be no secret.
func (v Redaction) shows(name, value string) bool {
	if values.Carries(value) {
		return false
	}
	shown := slices.ContainsFunc(v.Shown, func(pattern string) bool {
		ok, err := path.Match(pattern, name)
		return err == nil && ok
	})
	return shown || values.Harmless(value) || slices.Contains(v.Known, value)
}

// Scrub returns a text without the known secrets: Helm and Kubernetes quote values in their errors.
func (v Redaction) Scrub(text string) string {
	for _, secret := range v.Secrets {
		text = strings.ReplaceAll(text, secret, "(secret)")
	}
	for _, unknown := range v.Unknown {
		text = replaceWord(text, unknown, "(value)")
	}
	return text
}

// replaceWord replaces a text where it is no part of a longer word: a value that is a word of every name would leave
// nothing to read.
func replaceWord(text, old, with string) string {
	var out strings.Builder
	for {
		i := strings.Index(text, old)
		if i < 0 {
			out.WriteString(text)
			return out.String()
		}
		end := i + len(old)
		if i > 0 && inWord(text[i-1]) && inWord(old[0]) || end < len(text) && inWord(text[end]) && inWord(old[len(old)-1]) {
			out.WriteString(text[:end])
		} else {
			out.WriteString(text[:i] + with)
		}
		text = text[end:]
	}
}

func inWord(c byte) bool {
	return c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// Drift returns the fields of a rendered object that are otherwise in the live one, sorted by path. Fields that only
// the live object has are the cluster's own and no drift, apart from keys of data, node selectors and elements of
// lists.
func Drift(rendered, live Object, redaction Redaction) []facts.FieldDifference {
	return compareObjects(rendered, live, comparison{redaction: redaction})
}

// Changes returns all fields that differ between two renderings of an object, sorted by path. Live is the former's.
func Changes(before, after Object, redaction Redaction) []facts.FieldDifference {
	return compareObjects(after, before, comparison{redaction: redaction, both: true})
}

type comparison struct {
	redaction Redaction
	secret    bool // everything in this object is secret
	custom    bool // the object is of a kind that Kubernetes itself does not have
	both      bool // what only the live side has is a difference, too
	out       []facts.FieldDifference
}

func compareObjects(rendered, live Object, c comparison) []facts.FieldDifference {
	c.secret = Kind(rendered) == "Secret"
	c.custom = !builtIn.MatchString(APIVersion(rendered))
	a, b := secretData(rendered), secretData(live)
	for _, key := range union(a, b) {
		switch key {
		case "status", "apiVersion", "kind":
			continue
		case "metadata":
			am, _ := a[key].(Object)
			bm, _ := b[key].(Object)
			// Everything else of metadata belongs to the server, or is the object's identity.
			for _, part := range []string{"annotations", "labels"} {
				if am[part] != nil || c.both {
					c.compare("metadata."+part, part, am[part], bm[part])
				}
			}
			continue
		}
		if a[key] == nil && !c.both {
			continue
		}
		c.compare(key, key, a[key], b[key])
	}
	slices.SortStableFunc(c.out, func(x, y facts.FieldDifference) int { return cmp.Compare(x.Path, y.Path) })
	return c.out
}

// secretData returns a Secret with its stringData folded into data, as the API server does.
func secretData(o Object) Object {
	plain, ok := o["stringData"].(Object)
	if !ok || Kind(o) != "Secret" {
		return o
	}
	out := maps.Clone(o)
	delete(out, "stringData")
	data, _ := o["data"].(Object)
	data = maps.Clone(data)
	if data == nil {
		data = Object{}
	}
	for key, value := range plain {
		if text, ok := value.(string); ok {
			data[key] = base64.StdEncoding.EncodeToString([]byte(text))
		}
	}
	out["data"] = data
	return out
}

// The maps whose every key the chart owns: a key that only the live object has was put there by somebody.
var owned = []string{"data", "binaryData", "nodeSelector"}

func (c *comparison) compare(at, name string, rendered, live any) {
	if isEmpty(rendered) && isEmpty(live) {
		return
	}
	switch r := rendered.(type) {
	case Object:
		l, ok := live.(Object)
		if !ok && live != nil {
			c.differ(at, name, rendered, live)
			return
		}
		for _, key := range union(r, l) {
			if r[key] == nil && !c.both && !slices.Contains(owned, name) {
				continue // also a null: the server takes it as not set
			}
			c.compare(join(at, c.redaction.key(key)), key, r[key], l[key])
		}
		return
	case []any:
		l, ok := live.([]any)
		if !ok && live != nil {
			c.differ(at, name, rendered, live)
			return
		}
		c.lists(at, name, r, l)
		return
	case nil:
		if l, ok := live.(Object); ok {
			for _, key := range union(l, nil) {
				c.compare(join(at, c.redaction.key(key)), key, nil, l[key])
			}
			return
		}
	}
	if !sameScalar(rendered, live) {
		c.differ(at, name, rendered, live)
	}
}

func (c *comparison) lists(at, name string, rendered, live []any) {
	key := mergeKey(rendered, live)
	if key == "" {
		if len(rendered) != len(live) || !allObjects(rendered) || !allObjects(live) {
			if !reflect.DeepEqual(canonical(rendered), canonical(live)) {
				c.differ(at, name, whole(rendered), whole(live))
			}
			return
		}
		for i := range rendered {
			c.compare(fmt.Sprintf("%s[%d]", at, i), name, rendered[i], live[i])
		}
		return
	}
	r, l := byKey(rendered, key), byKey(live, key)
	for _, element := range union(r, l) {
		label := name
		if key == "name" && name == "env" {
			label = element // the variable's name says whether its value is a secret
		}
		here := at + "[" + c.redaction.key(element) + "]"
		ro, rok := r[element].(Object)
		lo, lok := l[element].(Object)
		if rok && lok {
			for _, field := range union(ro, lo) {
				if ro[field] == nil && !c.both {
					continue
				}
				fieldName := field
				if label != name && field == "value" {
					fieldName = label
				}
				c.compare(join(here, field), fieldName, ro[field], lo[field])
			}
			continue
		}
		c.differ(here, label, present(ro, rok), present(lo, lok))
	}
}

// complete returns a list as a value; none where there is no list.
func whole(list []any) any {
	if list == nil {
		return nil
	}
	return list
}

func present(o Object, ok bool) any {
	if !ok {
		return nil
	}
	return o
}

func (c *comparison) differ(at, name string, rendered, live any) {
	c.out = append(c.out, facts.FieldDifference{Path: at, Rendered: c.text(at, name, rendered), Live: c.text(at, name, live)})
}

func (c *comparison) text(at, name string, value any) string {
	if value == nil {
		return ""
	}
	text := values.Text(value)
	_, isText := value.(string)
	if isText || !scalar(value) {
		switch {
		case text == "":
			return text
		case !isText && len(text) > longest && !c.free(at):
		case c.free(at) && !c.redaction.shows(name, text), values.Carries(text):
			return values.Seal(c.redaction.MAC, value)
		case !slices.Contains(named, name) && c.redaction.derives(text):
			return values.Seal(c.redaction.MAC, value)
		}
	}
	switch {
	case c.secret && !strings.HasPrefix(at, "metadata."), c.redaction.Hides(name, text):
		return values.Seal(c.redaction.MAC, value)
	case len(text) > longest:
		sum := sha256.Sum256([]byte(text))
		return fmt.Sprintf("sha256:%s (%d bytes)", hex.EncodeToString(sum[:6]), len(text))
	}
	return text
}

// builtIn are the API versions of Kubernetes' own kinds, whose fields are known
// (kubernetes.io/docs/reference/kubernetes-api).
var builtIn = regexp.MustCompile(`^(?:v1|(?:apps|batch|autoscaling|policy|[a-z.]+\.k8s\.io)/v[0-9a-z]+|)$`)

// freeText are the fields of Kubernetes' own kinds that hold what anybody likes, as parts of a path.
var freeText = regexp.MustCompile(`(?:^|\.)(?:env|args|command|data|binaryData|stringData|annotations|httpHeaders|volumeAttributes|parameters|options)(?:\.|\[|$)`)

// free reports whether what stands at a path may be anything, a secret too.
func (c *comparison) free(at string) bool { return c.custom || freeText.MatchString(at) }

// named are the fields that hold a name alone, of an image, an object or a place on a node.
var named = []string{"image", "name", "namespace", "serviceAccountName", "storageClassName", "ingressClassName", "schedulerName", "priorityClassName", "nodeSelector", "labels", "mountPath"}

// derives reports whether a text holds one of which nobody knows whether it is a secret.
func (v Redaction) derives(text string) bool {
	return slices.ContainsFunc(v.Unknown, func(unknown string) bool { return strings.Contains(text, unknown) })
}

// scalar reports whether a value has no parts.
func scalar(value any) bool {
	switch value.(type) {
	case Object, []any:
		return false
	}
	return true
}

// The fields by which Kubernetes tells the elements of its lists apart (the patchMergeKey of its API types, v1).
var mergeKeys = []string{"name", "mountPath", "devicePath", "containerPort", "port", "key", "ip", "topologyKey"}

// mergeKey returns the field that tells all elements of both lists apart; "" when there is none.
func mergeKey(a, b []any) string {
	if len(a)+len(b) == 0 {
		return ""
	}
	for _, key := range mergeKeys {
		if distinct(a, key) && distinct(b, key) {
			return key
		}
	}
	return ""
}

func distinct(list []any, key string) bool {
	seen := map[string]bool{}
	for _, element := range list {
		object, ok := element.(Object)
		if !ok || object[key] == nil {
			return false
		}
		text := values.Text(object[key])
		if seen[text] {
			return false
		}
		seen[text] = true
	}
	return true
}

func byKey(list []any, key string) Object {
	out := Object{}
	for _, element := range list {
		object, _ := element.(Object)
		out[values.Text(object[key])] = object
	}
	return out
}

func allObjects(list []any) bool {
	return !slices.ContainsFunc(list, func(element any) bool { _, ok := element.(Object); return !ok })
}

func union(a, b Object) []string {
	keys := map[string]bool{}
	for key := range a {
		keys[key] = true
	}
	for key := range b {
		keys[key] = true
	}
	return slices.Sorted(maps.Keys(keys))
}

// isEmpty: the server drops what is empty, and typed objects write it although nobody did.
func isEmpty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case Object:
		for _, below := range v {
			if !isEmpty(below) {
				return false
			}
		}
		return true
	case []any:
		return len(v) == 0
	case string:
		return v == ""
	case bool:
		return !v
	}
	return false
}

func sameScalar(a, b any) bool {
	return reflect.DeepEqual(canonical(a), canonical(b))
}

// canonical makes numbers comparable: JSON readers give float64, Kubernetes' own int64.
func canonical(value any) any {
	switch v := value.(type) {
	case int:
		return float64(v)
	case int32:
		return float64(v)
	case int64:
		return float64(v)
	case json.Number:
		if f, err := v.Float64(); err == nil {
			return f
		}
	case []any:
		out := make([]any, len(v))
		for i, element := range v {
			out[i] = canonical(element)
		}
		return out
	case Object:
		out := make(Object, len(v))
		for key, element := range v {
			out[key] = canonical(element)
		}
		return out
	}
	return value
}

// join adds a key to a path; a key with a dot is quoted.
func join(at, key string) string {
	if strings.ContainsAny(key, ".[") {
		return at + "[" + key + "]"
	}
	return at + "." + key
}

// Kind returns an object's kind.
func Kind(o Object) string { return text(o["kind"]) }

// APIVersion returns an object's group and version.
func APIVersion(o Object) string { return text(o["apiVersion"]) }

// Name returns an object's name.
func Name(o Object) string { return metadata(o, "name") }

// Namespace returns the namespace that an object names; empty means the release's, or that it has none.
func Namespace(o Object) string { return metadata(o, "namespace") }

// Annotation returns an annotation of an object.
func Annotation(o Object, key string) string {
	m, _ := o["metadata"].(Object)
	annotations, _ := m["annotations"].(Object)
	return text(annotations[key])
}

func metadata(o Object, key string) string {
	m, _ := o["metadata"].(Object)
	return text(m[key])
}

func text(value any) string {
	s, _ := value.(string)
	return s
}
