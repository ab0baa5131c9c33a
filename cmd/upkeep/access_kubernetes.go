package main

import (
	_ "embed"
	"fmt"
	"io"
)

// clusterRoles are what upkeep asks of the Kubernetes API, as three ClusterRoles: one to observe, which a CI job may have, one to
// apply, and one to measure in the pod of a provider. docs/security.md says what each verb is for.
//
//go:embed access_kubernetes.yaml
var clusterRoles string

// writeClusterRoles prints the ClusterRoles, with how to bind them.
func writeClusterRoles(w io.Writer) error {
	_, err := fmt.Fprint(w, clusterRoles)
	return err
}
