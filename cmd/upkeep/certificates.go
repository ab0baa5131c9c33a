package main

import (
	"context"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/certificates"
	"upkeep/providers/kube"
)

// certificateOperations makes the operations of certificates. The kubeconfig that one of them renews is that of the
// configuration of whoever applies.
func certificateOperations(t tools) map[string]providers.Operation {
	all := certificates.Operations(t.caller)
	kubeconfig := operatorKubeconfig{t.desired.Cluster, t.env}
	all[certificates.OperationKubeconfig] = certificates.RenewKubeconfig(t.caller, kubeconfig)
	return all
}

// operatorKubeconfig is the kubeconfig of the cluster block.
type operatorKubeconfig struct {
	cluster *config.Cluster
	env     environment
}

// Renew implements certificates.Kubeconfig.
func (k operatorKubeconfig) Renew(
	ctx context.Context, sign func(ctx context.Context, old, request, proof []byte) ([]byte, error),
) (string, error) {
	if k.cluster == nil {
		return "", providers.ErrNoCluster
	}
	return kube.RenewClient(ctx, k.cluster.Kubeconfig, k.cluster.Context, k.env.now(), sign)
}
