package protocol

// Hello is who answers on the node.
type Hello struct {
	// Version is the helper's version as its build recorded it.
	Version string `json:"version"`
	// SHA256 is the lower-case hexadecimal digest of the helper's own executable.
	SHA256 string `json:"sha256"`
	// Architecture is Go's GOARCH.
	Architecture string `json:"architecture"`
}
