package values

import (
	"encoding/json"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/agext/levenshtein"
)

// A key may be a secret as a text may: charts take maps whose keys are users, tokens or addresses. So a key is shown
// where it is known alone: by the configuration, by a chart that upkeep knows itself, or by Kubernetes.

// kubernetes are words of Kubernetes' API that stand in values whose keys no chart lists: resources, tolerations,
// affinity, contexts of security, probes (kubernetes.io/docs/reference/kubernetes-api, v1.36); and what charts call the
// lists of more of them.
var kubernetes = words(`affinity allowPrivilegeEscalation annotations args capabilities command configMap cpu drop effect
	emptyDir enabled env ephemeral-storage extraArgs extraEnv extraVolumes failureThreshold
	fsGroup httpGet image initialDelaySeconds key kind labels
	labelSelector limits matchExpressions matchFields matchLabels memory mountPath name namespace namespaces
	nodeAffinity nodeSelector nodeSelectorTerms operator periodSeconds podAffinity podAntiAffinity port preference
	preferredDuringSchedulingIgnoredDuringExecution privileged readOnly readOnlyRootFilesystem replicas repository
	requests requiredDuringSchedulingIgnoredDuringExecution resources runAsGroup runAsNonRoot runAsUser
	seccompProfile securityContext size storage storageClassName subPath successThreshold tag timeoutSeconds
	tolerationSeconds tolerations topologyKey topologySpreadConstraints type value values volumeMounts volumes weight
	kubernetes.io/arch kubernetes.io/hostname kubernetes.io/os nvidia.com/gpu nvidia.com/gpu.present
	node-role.kubernetes.io/control-plane node-role.kubernetes.io/worker`)

func words(text string) map[string]bool {
	out := map[string]bool{}
	for word := range strings.FieldsSeq(text) {
		out[word] = true
	}
	return out
}

// Keys returns all keys of a tree, those in lists too, each once.
func Keys(tree Tree) []string {
	found := map[string]bool{}
	keysIn(tree, found)
	return slices.Sorted(maps.Keys(found))
}

func keysIn(value any, found map[string]bool) {
	switch node := value.(type) {
	case Tree:
		for key, below := range node {
			found[key] = true
			keysIn(below, found)
		}
	case []any:
		for _, below := range node {
			keysIn(below, found)
		}
	}
}

// templated are the words that templates name after a point: values and their parts.
var templated = regexp.MustCompile(`\.([A-Za-z_][A-Za-z0-9_]*)|"([A-Za-z_][A-Za-z0-9_-]*)"`)

// ChartKeys returns the keys that a chart itself names: in its own values, in the schema of them, and in its templates.
// Who can read the chart knows them.
func ChartKeys(own Tree, schema []byte, templates ...[]byte) []string {
	found := map[string]bool{}
	keysIn(own, found)
	var described Tree
	if json.Unmarshal(schema, &described) == nil {
		keysIn(described, found)
	}
	for _, text := range templates {
		for _, word := range templated.FindAllSubmatch(text, -1) {
			found[string(word[1])+string(word[2])] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// nearest is from how many characters a key may be a known one that is misspelt, in one or two letters.
const nearest = 6

// showsKey reports whether a key is known.
func (r rule) showsKey(key string) bool {
	if _, err := strconv.ParseFloat(key, 64); err == nil && len(key) <= 5 || r.keys[key] || kubernetes[key] {
		return true
	}
	for _, at := range r.show { // "price_target_*" says what such a key looks like, and "*" does not
		for _, segment := range at {
			if like, err := path.Match(segment, key); like && err == nil && segment != "*" {
				return true
			}
		}
	}
	if len(key) < nearest || len(key) > 64 {
		return false
	}
	for known := range r.keys {
		if len(known) >= nearest && max(len(known)-len(key), len(key)-len(known)) <= 2 &&
			levenshtein.Distance(strings.ToLower(known), strings.ToLower(key), nil) <= 2 {
			return true
		}
	}
	return false
}

// maskedKey returns a key as it is shown; taken are those of its map that are in use already.
func (r rule) maskedKey(key string, mac MAC, taken Tree) string {
	if r.showsKey(key) {
		return key
	}
	seal := Seal(mac, key)
	for shown, i := seal, 2; ; i++ { // without a key all seals are alike
		if _, again := taken[shown]; !again {
			return shown
		}
		shown = seal + "#" + strconv.Itoa(i)
	}
}

// UnknownKeys returns the keys, of at least six characters, that nobody knows, sorted.
func UnknownKeys(tree Tree, show Rule) []string {
	r := show.ready()
	return slices.DeleteFunc(Keys(tree), func(key string) bool { return len(key) < shortest || r.showsKey(key) })
}

// HidesKey reports whether a path has a key that is not shown.
func HidesKey(path string) bool {
	return slices.ContainsFunc(Segments(path), func(segment string) bool { return strings.HasPrefix(segment, Sealed) })
}
