package main

import (
	_ "embed"
	"fmt"
	"io"
)

// clusterRoles are what upkeep asks of the Kubernetes API, as two ClusterRoles: one to observe, which a CI job may have, and
// one to apply. docs/security.md says what each verb is for.
//
//go:embed access_kubernetes.yaml
var clusterRoles string

// writeClusterRoles prints the ClusterRoles, with how to bind them.
func writeClusterRoles(w io.Writer) error {
	_, err := fmt.Fprint(w, clusterRoles)
	return err
}
