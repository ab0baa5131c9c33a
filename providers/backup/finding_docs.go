package backup

import "upkeep/providers"

// findingDocs declares the findings of this domain; docs/findings has a page for each. Those that other domains report as
// well (NODE_SELECTION_UNKNOWN, NODE_NONE_SELECTED) are declared there.
func findingDocs() []providers.FindingDoc {
	return []providers.FindingDoc{
		{ID: "BACKUP_CLOCK_WENT_BACK", Class: providers.ClassUnknown},
		{ID: "BACKUP_GAP", Class: providers.ClassUnhealthy},
		{ID: "BACKUP_KEYS_FEWER", Class: providers.ClassChanged},
		{ID: "BACKUP_MISSING", Class: providers.ClassChanged},
		{ID: "BACKUP_NONE", Class: providers.ClassNotApplied},
		{ID: "BACKUP_STALE", Class: providers.ClassExpiring},
		{ID: "BACKUP_STORE_UNREACHABLE", Class: providers.ClassUnknown},
		{ID: "BACKUP_UNPROVED", Class: providers.ClassNotApplied},
		{ID: "BUNDLE_DAMAGED", Class: providers.ClassChanged},
		{ID: "BUNDLE_FOREIGN", Class: providers.ClassChanged},
		{ID: "BUNDLE_HALF_WRITTEN", Class: providers.ClassNotApplied},
		{ID: "BUNDLE_NOT_AUTHENTIC", Class: providers.ClassChanged},
		{ID: "BUNDLE_UNENCRYPTED", Class: providers.ClassNotApplied},
		{ID: "ETCD_ALARM", Class: providers.ClassUnhealthy},
		{ID: "ETCD_ENDPOINT_UNUSABLE", Class: providers.ClassUnhealthy},
		{ID: "ETCD_EVEN_MEMBERS", Class: providers.ClassUnhealthy},
		{ID: "ETCD_HASH_DIFFERS", Class: providers.ClassUnhealthy},
		{ID: "ETCD_LAG", Class: providers.ClassUnhealthy},
		{ID: "ETCD_LEARNER", Class: providers.ClassUnhealthy},
		{ID: "ETCD_MEMBER_UNREACHABLE", Class: providers.ClassUnhealthy},
		{ID: "ETCD_MEMBER_UNSTARTED", Class: providers.ClassUnhealthy},
		{ID: "ETCD_QUOTA_NEAR", Class: providers.ClassUnhealthy},
		{ID: "ETCD_UNREACHABLE", Class: providers.ClassUnknown},
		{ID: "ETCD_VERSION_SKEW", Class: providers.ClassUnhealthy},
		{ID: "K3S_DATABASE_SEVERAL", Class: providers.ClassNotApplied},
		{ID: "K3S_DATASTORE_UNKNOWN", Class: providers.ClassUnknown},
	}
}
