package facts

// SecretQuestion asks whether a Secret exists. Its content is never asked for.
type SecretQuestion struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// SecretKey returns the key of a Secret in World.Secrets.
func SecretKey(namespace, name string) string { return namespace + "/" + name }

// Existence says whether an object is there, and nothing of what is in it.
type Existence struct {
	// Unknown: it could not be told, for instance since the API forbids to look; why.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	Missing bool   `json:"missing,omitempty"`
}

// Definition is one CustomResourceDefinition of the cluster.
type Definition struct {
	Name string `json:"name"` // "manifests.akash.network"
	// Unknown: it could not be read; why. Missing: the cluster has no such kind.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	Missing bool   `json:"missing,omitempty"`
	// Established: the API server serves it.
	Established bool `json:"established,omitempty"`
	// Served are the versions that are served, Stored those that objects may be stored in, in the definition's order.
	Served []string `json:"served,omitempty"`
	Stored []string `json:"stored,omitempty"`
	// Digest is the SHA-256 of its spec in hexadecimal, brought into one form: equal definitions have equal digests.
	Digest string `json:"digest,omitempty"`
}

// Installed are the releases of one chart in all namespaces.
type Installed struct {
	// Unknown: they could not be listed; why.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Releases are those whose last revision is deployed, sorted by namespace and name.
	Releases []InstalledRelease `json:"releases,omitempty"`
}

// InstalledRelease is one of them.
type InstalledRelease struct {
	Namespace string       `json:"namespace"`
	Name      string       `json:"name"`
	Chart     ChartVersion `json:"chart"`
}

// Definition returns what the world knows of a CustomResourceDefinition. One that was never asked for is unknown.
func (w World) Definition(name string) Definition {
	if d, ok := w.Definitions[name]; ok {
		return d
	}
	return Definition{Name: name, Unknown: "not observed"}
}

// Secret returns whether a Secret exists. One that was never asked for is unknown.
func (w World) Secret(namespace, name string) Existence {
	if e, ok := w.Secrets[SecretKey(namespace, name)]; ok {
		return e
	}
	return Existence{Unknown: "not observed"}
}

// Chart returns the releases of a chart. One that was never asked for is unknown.
func (w World) Chart(name string) Installed {
	if i, ok := w.Charts[name]; ok {
		return i
	}
	return Installed{Unknown: "not observed"}
}
