package certificates

import "upkeep/providers"

// findingDocs declares every finding of this domain; docs/findings has a page for each.
func findingDocs() []providers.FindingDoc {
	return []providers.FindingDoc{
		{ID: "CERT_APPENDED_EXPIRED", Class: providers.ClassExpiring},
		{ID: "CERT_AUTHORITY_DIFFERS", Class: providers.ClassUnhealthy},
		{ID: "CERT_AUTHORITY_KEY_MISSING", Class: providers.ClassNotApplied},
		{ID: "CERT_IDENTITY_OVERPRIVILEGED", Class: providers.ClassUnhealthy},
		{ID: "CERT_IDENTITY_WRONG", Class: providers.ClassUnhealthy},
		{ID: "CERT_KUBECONFIG_FOREIGN", Class: providers.ClassUnhealthy},
		{ID: "CERT_OWNER_FOREIGN", Class: providers.ClassUnhealthy},
		{ID: "CERT_SAN_MISSING", Class: providers.ClassUnhealthy},
		{ID: "CERT_AUTHORITY_EXPIRES_SOON", Class: providers.ClassExpiring},
		{ID: "CERT_KUBELET_EMBEDDED", Class: providers.ClassExpiring},
		{ID: "CERT_SERVICE_ACCOUNT_KEY", Class: providers.ClassUnhealthy},
		{ID: "CERT_CHAIN_BROKEN", Class: providers.ClassUnhealthy},
		{ID: "API_UNREACHABLE", Class: providers.ClassUnknown},
		{ID: "CERT_CLUSTER_DOWN", Class: providers.ClassUnhealthy},
		{ID: "CERT_CONFIGURATION_UNKNOWN", Class: providers.ClassUnknown},
		{ID: "CERT_ETCD_UNKNOWN", Class: providers.ClassUnknown},
		{ID: "CERT_FOREIGN_RENEWAL", Class: providers.ClassNotApplied},
		{ID: "CERT_EXPIRED", Class: providers.ClassExpiring},
		{ID: "CERT_EXPIRES_SOON", Class: providers.ClassExpiring},
		{ID: "CERT_KEY_EXPOSED", Class: providers.ClassUnhealthy},
		{ID: "CERT_KEY_MISMATCH", Class: providers.ClassUnhealthy},
		{ID: "CERT_KUBECONFIG_STALE", Class: providers.ClassExpiring},
		{ID: "CERT_KUBELET_EXPIRES_SOON", Class: providers.ClassExpiring},
		{ID: "CERT_LAYOUT_UNKNOWN", Class: providers.ClassUnknown},
		{ID: "CERT_MISSING", Class: providers.ClassUnhealthy},
		{ID: "CERT_NOT_YET_VALID", Class: providers.ClassUnhealthy},
		{ID: "CERT_OPERATOR_KUBECONFIG", Class: providers.ClassExpiring},
		{ID: "CERT_KUBECONFIG_INSECURE", Class: providers.ClassUnhealthy},
		{ID: "CERT_OUTLIVES_AUTHORITY", Class: providers.ClassExpiring},
		{ID: "CERT_RENEW_BEFORE_TOO_LONG", Class: providers.ClassNotApplied},
		{ID: "CERT_SERVED_DIFFERS", Class: providers.ClassChanged},
		{ID: "CERT_SERVED_UNKNOWN", Class: providers.ClassUnknown},
		{ID: "CERT_UNFINISHED", Class: providers.ClassNotApplied},
		{ID: "CERT_UNREADABLE", Class: providers.ClassUnknown},
		{ID: "ETCD_UNHEALTHY", Class: providers.ClassUnhealthy, General: true},
		{ID: "ETCD_WORK_WAITS", Class: providers.ClassNotApplied},
		{ID: "NODE_CONTROL_PLANE_BROKEN", Class: providers.ClassUnhealthy},
		{ID: "NODE_NONE_SELECTED", Class: providers.ClassNotApplied},
		{ID: "NODE_SELECTION_UNKNOWN", Class: providers.ClassUnknown},
		{ID: "NODE_UNREACHABLE", Class: providers.ClassUnknown, General: true},
	}
}
