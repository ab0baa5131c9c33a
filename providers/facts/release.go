package facts

import (
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"time"
)

// ReleaseQuestion is what is asked of one Helm release.
type ReleaseQuestion struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Mask are the paths of the values that are secrets ("letsEncrypt.providers.cloudflare.apiToken"; a segment `*` is
	// any key or index; a dot inside a key is written `\.`). A list or a map at such a path is one secret. Values whose
	// key looks like a secret's are masked, too.
	Mask []string `json:"mask,omitempty"`
	// Show are the paths of the values that are known to be no secrets, as Mask writes them, and Known are texts that are:
	// what the configuration says itself. Every other text of a release's values is masked; numbers and booleans are not.
	Show  []string `json:"show,omitempty"`
	Known []string `json:"known,omitempty"`
	// Keys are the keys of maps that are known to be no secrets wherever they stand: those that the configuration writes
	// itself. Kubernetes' own are known, too; every other key is masked.
	Keys []string `json:"keys,omitempty"`
	// MaskNames are patterns of path.Match: environment variables and keys of ConfigMaps that are masked as well.
	MaskNames []string `json:"mask_names,omitempty"`
	// Environment are patterns of path.Match: the variables to read from the running containers, by running
	// EnvironmentCommand in them. None are read when it is empty.
	Environment []string `json:"environment,omitempty"`
	// EnvironmentCommand prints the environment, NAME=VALUE a line; empty means `env`.
	EnvironmentCommand []string `json:"environment_command,omitempty"`
	// Measure asks the running pod what only the pod can tell, by running commands in it; nil: the pod is not asked.
	Measure *PodMeasurementQuestion `json:"measure,omitempty"`
	// Offer asks which versions of a chart there are, and what an upgrade to one of them would change.
	Offer *OfferQuestion `json:"offer,omitempty"`
}

// ReleaseKey returns the key of a release in World.Releases.
func ReleaseKey(namespace, name string) string { return namespace + "/" + name }

// ChartSource says where a chart comes from: Path alone, or Repository and Name.
type ChartSource struct {
	// Repository is the URL of a chart repository (http, https), or oci://HOST/PATH without the chart's name.
	Repository string `json:"repository,omitempty"`
	Name       string `json:"name,omitempty"`
	// Path is a chart's directory or archive on the machine that upkeep runs on.
	Path string `json:"path,omitempty"`
	// Insecure allows a repository without TLS: the one who is on the way may then replace the chart.
	Insecure bool `json:"insecure,omitempty"`
	// Lookup allows the chart's templates to read objects of the cluster, Secrets among them.
	Lookup bool `json:"lookup,omitempty"`
	// Private: the repository asks for credentials. The configuration alone has them.
	Private bool `json:"private,omitempty"`
}

// Sibling returns another chart of the same repository, under the same trust.
func (s ChartSource) Sibling(name string) ChartSource {
	return ChartSource{Repository: s.Repository, Name: name, Insecure: s.Insecure, Lookup: s.Lookup, Private: s.Private}
}

// InTheClear reports whether the chart comes over a network without TLS.
func (s ChartSource) InTheClear() bool {
	at, err := url.Parse(s.Repository)
	if err != nil || at.Scheme != "http" {
		return false
	}
	if address, err := netip.ParseAddr(at.Hostname()); err == nil {
		return !address.IsLoopback()
	}
	return at.Hostname() != "localhost"
}

// String returns the source as a person would look for it.
func (s ChartSource) String() string {
	if s.Path != "" {
		return s.Path
	}
	return s.Repository + " " + s.Name
}

// OfferQuestion asks for the versions of a chart, and for a preview of one.
type OfferQuestion struct {
	Source ChartSource `json:"source"`
	// Constraint is an exact version ("6.0.5") or a constraint (">= 0.16.2"); empty is the newest release.
	Constraint string `json:"constraint,omitempty"`
	// Exclude are versions that are never chosen although the constraint allows them.
	Exclude []string `json:"exclude,omitempty"`
	// Keep chooses the version that the release has, where the source has it, too, the constraint allows it and Exclude
	// does not name it, although there may be a newer one.
	Keep bool `json:"keep,omitempty"`
	// Like asks for the version of this chart that goes with a version of another chart; Constraint and Keep then say
	// nothing. Such a question gives way to one of a resource that the release belongs to.
	Like *LikeQuestion `json:"like,omitempty"`
	// SHA256 is the expected digest of the chart's archive in hexadecimal; empty is not checked.
	SHA256 string `json:"sha256,omitempty"`
	// Preview asks to render the chosen version with the release's values, Remove taken out of them and then Values laid
	// over them, and to compare the outcome with what the release has now. Values may hold secrets and have no JSON form.
	Preview bool           `json:"preview,omitempty"`
	Values  map[string]any `json:"-"`
	Remove  []string       `json:"remove,omitempty"`
	// ResetValues leaves out what the release has: Values are all there is.
	ResetValues bool `json:"reset_values,omitempty"`
}

// LikeQuestion names a version of another chart. What goes with it is the newest version with the same version of the
// program, else the same version of the chart. Nothing is offered where the release is not installed.
type LikeQuestion struct {
	Source  ChartSource `json:"source"`
	Version string      `json:"version"`
}

// The states of a release's revision, by Helm's names (pkg/release/status.go, v3).
const (
	ReleaseDeployed        = "deployed"
	ReleaseSuperseded      = "superseded"
	ReleaseFailed          = "failed"
	ReleaseUninstalled     = "uninstalled"
	ReleaseUninstalling    = "uninstalling"
	ReleasePendingInstall  = "pending-install"
	ReleasePendingUpgrade  = "pending-upgrade"
	ReleasePendingRollback = "pending-rollback"
)

// Release is one Helm release: what Helm has recorded, what the cluster really holds, and what runs.
type Release struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Unknown: the cluster or Helm's records could not be read; why.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Missing: there is no release of that name in the namespace. The fields of its last revision are then zero.
	Missing bool `json:"missing,omitempty"`

	// These are of the last revision, whatever its status.
	Revision    int               `json:"revision,omitempty"`
	Status      string            `json:"status,omitempty"`
	Description string            `json:"description,omitempty"`
	Chart       ChartVersion      `json:"chart,omitzero"`
	Updated     time.Time         `json:"updated,omitzero"`
	Labels      map[string]string `json:"labels,omitempty"`
	// Values are the user's values, as JSON knows them: every number is a float64. A masked value is the string
	// "hmac:" and an HMAC of its JSON.
	Values map[string]any `json:"values,omitempty" plain:"-"`
	// Kept are the values that an upgrade starts from where these are not Values: those of the deployed revision, when
	// the last one failed or never ended.
	Kept map[string]any `json:"kept,omitempty" plain:"-"`
	// History are all recorded revisions, oldest first, the last one included.
	History []ReleaseRevision `json:"history,omitempty"`

	// ObjectsUnknown: the objects could not be compared at all; why.
	ObjectsUnknown string `json:"objects_unknown,omitempty" plain:"said"`
	// Objects are the objects of the deployed revision (else of the last) whose live state differs from it.
	Objects []ObjectDrift `json:"objects,omitempty"`
	// ObjectCount is how many objects were compared.
	ObjectCount int `json:"object_count,omitempty"`

	WorkloadsUnknown string      `json:"workloads_unknown,omitempty" plain:"said"`
	Workloads        []Workload  `json:"workloads,omitempty"`
	ConfigMaps       []ConfigMap `json:"config_maps,omitempty"`

	// Measured answers ReleaseQuestion.Measure; nil when nothing was asked.
	Measured *PodMeasurement `json:"measured,omitempty"`
	// Offer answers ReleaseQuestion.Offer; nil when nothing was asked.
	Offer *ChartOffer `json:"offer,omitempty"`
}

// Pending reports whether an operation on the release has begun and not ended, so that Helm refuses another.
func (r Release) Pending() bool {
	switch r.Status {
	case ReleasePendingInstall, ReleasePendingUpgrade, ReleasePendingRollback:
		return true
	}
	return false
}

// LastDeployed returns the newest revision with status "deployed", and whether there is one.
func (r Release) LastDeployed() (ReleaseRevision, bool) {
	for _, revision := range slices.Backward(r.History) {
		if revision.Status == ReleaseDeployed {
			return revision, true
		}
	}
	return ReleaseRevision{}, false
}

// StartsFrom returns the values that an upgrade starts from: those of the revision that is deployed, else of the last
// one. The caller must not write into them.
func (r Release) StartsFrom() map[string]any {
	if deployed, ok := r.LastDeployed(); r.Kept != nil || ok && deployed.Revision != r.Revision {
		return r.Kept
	}
	return r.Values
}

// Workload returns the release's workload of a kind and name, and whether there is one.
func (r Release) Workload(kind, name string) (Workload, bool) {
	for _, w := range r.Workloads {
		if w.Kind == kind && w.Name == name {
			return w, true
		}
	}
	return Workload{}, false
}

// ConfigMap returns the release's ConfigMap of a name, and whether there is one.
func (r Release) ConfigMap(name string) (ConfigMap, bool) {
	for _, c := range r.ConfigMaps {
		if c.Name == name {
			return c, true
		}
	}
	return ConfigMap{}, false
}

// ChartVersion is one version of a chart.
type ChartVersion struct {
	Name       string `json:"name,omitempty"`
	Version    string `json:"version,omitempty"`
	AppVersion string `json:"app_version,omitempty"`
	// Digest is the SHA-256 of its archive, as the repository's index has it; empty where the index says nothing.
	Digest string `json:"digest,omitempty"`
	// Created is when it was published, by the index.
	Created time.Time `json:"created,omitzero"`
	// Deprecated: the chart's author advises against it.
	Deprecated bool `json:"deprecated,omitempty"`
}

// ReleaseRevision is one recorded revision of a release.
type ReleaseRevision struct {
	Revision    int          `json:"revision"`
	Status      string       `json:"status"`
	Chart       ChartVersion `json:"chart"`
	Updated     time.Time    `json:"updated,omitzero"`
	Description string       `json:"description,omitempty"`
}

// ObjectDrift is an object of a release that is not in the cluster as it was rendered.
type ObjectDrift struct {
	APIVersion string `json:"api_version"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	// Missing: it is not there. Unknown: it could not be read; why.
	Missing     bool              `json:"missing,omitempty"`
	Unknown     string            `json:"unknown,omitempty" plain:"said"`
	Differences []FieldDifference `json:"differences,omitempty"`
}

// FieldDifference is one field that differs. Secrets and long texts stand as a digest.
type FieldDifference struct {
	Path string `json:"path"` // "spec.template.spec.containers[provider].env[AKASH_NODE].value"
	// Rendered is what the chart says, Live what the cluster has; empty where there is nothing.
	Rendered string `json:"rendered,omitempty"`
	Live     string `json:"live,omitempty"`
}

// ConfigMap is a ConfigMap of a release.
type ConfigMap struct {
	Name            string            `json:"name"`
	Missing         bool              `json:"missing,omitempty"`
	Unknown         string            `json:"unknown,omitempty" plain:"said"`
	ResourceVersion string            `json:"resource_version,omitempty"`
	Created         time.Time         `json:"created,omitzero"`
	Changed         time.Time         `json:"changed,omitzero"` // when a manager of its fields last wrote to it
	Data            map[string]string `json:"data,omitempty"`   // masked as ReleaseQuestion.MaskNames says
}

// Workload is a StatefulSet, Deployment or DaemonSet of a release.
type Workload struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Missing bool   `json:"missing,omitempty"`
	Unknown string `json:"unknown,omitempty" plain:"said"`
	UID     string `json:"uid,omitempty"`
	// Replicas are wanted (a DaemonSet: nodes that should run it); Ready are ready; Updated run the newest template.
	Replicas int `json:"replicas"`
	Ready    int `json:"ready"`
	Updated  int `json:"updated"`
	// Settled: the controller has seen the newest spec (status.observedGeneration).
	Settled bool `json:"settled"`
	// Annotations are the object's own whose key upkeep owns, and when it was last restarted by hand.
	Annotations map[string]string `json:"annotations,omitempty"`
	Pods        []Pod             `json:"pods,omitempty"` // sorted by name
}

// Pod is one pod of a workload.
type Pod struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
	Node string `json:"node,omitempty"`
	// Phase is Kubernetes' word ("Running"); Problem is why it does not run ("ImagePullBackOff: ...").
	Phase    string    `json:"phase"`
	Problem  string    `json:"problem,omitempty" plain:"said"`
	Ready    bool      `json:"ready"`
	Deleting bool      `json:"deleting,omitempty"`
	Created  time.Time `json:"created,omitzero"`
	// Template identifies the revision of the workload's template that it was made from.
	Template   string      `json:"template,omitempty"`
	Containers []Container `json:"containers,omitempty"`
}

// Container is one container of a pod.
type Container struct {
	Name     string    `json:"name"`
	Image    string    `json:"image"`
	Ready    bool      `json:"ready"`
	Started  time.Time `json:"started,omitzero"` // zero while it does not run
	Restarts int       `json:"restarts,omitempty"`
	// Env are the variables of the pod's spec, in its order. EnvFrom are the ConfigMaps whose every key is a variable,
	// in order; a later one wins over an earlier one, and Env wins over both.
	Env     []EnvVar `json:"env,omitempty"`
	EnvFrom []string `json:"env_from,omitempty"`
	// Live are the variables that the container itself printed, by name, as ReleaseQuestion.Environment asks.
	Live        map[string]string `json:"live,omitempty"`
	LiveUnknown string            `json:"live_unknown,omitempty" plain:"said"`
}

// EnvVar is one environment variable of a pod's spec.
type EnvVar struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
	// From says where the value comes from when it is not in the spec: "secret NAME/KEY", "config map NAME/KEY",
	// "field PATH".
	From string `json:"from,omitempty"`
}

// Variable is what a container sees of one environment variable, as far as the API can tell.
type Variable struct {
	Value string
	// Set: the variable has a value. Stale: its ConfigMap changed after the container started, so that the container has
	// an older value, which cannot be told.
	Set, Stale bool
	From       string // "spec", "config map NAME", "container" (it printed it)
}

// Variable says what a container of this release sees of a variable. What the container printed itself is believed
// first, then its spec, then its ConfigMaps: their keys are read when a container starts and never again.
func (r Release) Variable(c Container, name string) Variable {
	if value, ok := c.Live[name]; ok {
		return Variable{Value: value, Set: true, From: "container"}
	}
	if c.Live != nil && c.LiveUnknown == "" {
		return Variable{From: "container"}
	}
	for _, env := range slices.Backward(c.Env) {
		if env.Name == name && env.From == "" {
			return Variable{Value: env.Value, Set: true, From: "spec"}
		}
		if env.Name == name {
			return Variable{Set: true, From: env.From}
		}
	}
	for _, from := range slices.Backward(c.EnvFrom) {
		configMap, ok := r.ConfigMap(from)
		if !ok {
			continue
		}
		if value, ok := configMap.Data[name]; ok {
			return Variable{Value: value, Set: true, From: "config map " + from, Stale: configMap.Changed.After(c.Started)}
		}
	}
	return Variable{}
}

// ChartOffer is what a chart source has, and what an upgrade to the chosen version would change.
type ChartOffer struct {
	Source ChartSource `json:"source"`
	// Unknown: the source did not answer, or has no such chart; why.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Versions are newest first. Newest is the newest that is not a pre-release.
	Versions []ChartVersion `json:"versions,omitempty"`
	Newest   string         `json:"newest,omitempty"`
	// Chosen is the version that the constraint chooses; ChosenUnknown says why there is none.
	Chosen        ChartVersion `json:"chosen,omitzero"`
	ChosenUnknown string       `json:"chosen_unknown,omitempty" plain:"said"`
	// Digest is the SHA-256 of the archive that was really fetched; empty when no preview was asked for.
	Digest  string          `json:"digest,omitempty"`
	Preview *ReleasePreview `json:"preview,omitempty"`
}

// ReleasePreview is what an upgrade would change, from rendering the chart with the full values.
type ReleasePreview struct {
	// Unknown: the chart could not be fetched or rendered; why.
	Unknown string       `json:"unknown,omitempty" plain:"said"`
	Chart   ChartVersion `json:"chart,omitzero"`
	// Values are all user values after the upgrade, masked as in Release.Values.
	Values map[string]any `json:"values,omitempty" plain:"-"`
	// Objects are those that change, compared with the manifest that the release has now.
	Objects []ObjectChange `json:"objects,omitempty"`
	// Rolls are the workloads whose pod template changes ("StatefulSet akash-provider"): their pods restart.
	Rolls []string `json:"rolls,omitempty"`
	// Forbidden are the changes that Kubernetes refuses in place ("StatefulSet akash-provider:
	// spec.volumeClaimTemplates").
	Forbidden []string `json:"forbidden,omitempty"`
	// CRDs are the names of the files in the chart's crds folder: Helm never upgrades them.
	CRDs []string `json:"crds,omitempty"`
	// Absent are the kinds that the chart uses and the cluster does not have ("gateway.networking.k8s.io/v1 HTTPRoute").
	Absent []string `json:"absent,omitempty"`
}

// ObjectChange is one object that an upgrade would create, update or delete.
type ObjectChange struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	Action    string `json:"action"` // "create", "update", "delete", "keep" (no longer rendered, but to be kept)
	// Differences are what an update changes: Live is the value of the release's present manifest.
	Differences []FieldDifference `json:"differences,omitempty"`
}

// Release returns a release's facts. One that was never asked for is unknown, not missing.
func (w World) Release(namespace, name string) Release {
	if r := w.Releases[ReleaseKey(namespace, name)]; r != nil {
		return *r
	}
	return Release{Namespace: namespace, Name: name, Unknown: "not observed"}
}

// ReleaseKeys returns the keys of all releases, sorted.
func (w World) ReleaseKeys() []string { return slices.Sorted(maps.Keys(w.Releases)) }
