package akash

import (
	"upkeep/providers"
	"upkeep/providers/helm/catalogue"
)

// findingDocs declares every finding of this domain; docs/findings has a page for each.
func findingDocs() []providers.FindingDoc {
	return append(catalogue.Findings(), []providers.FindingDoc{
		{ID: "PROVIDER_MISSING", Class: providers.ClassNotApplied},
		{ID: "PROVIDER_NOT_RUNNING", Class: providers.ClassUnhealthy},
		{ID: "PROVIDER_STOPPED", Class: providers.ClassChanged},
		{ID: "PROVIDER_UNKNOWN", Class: providers.ClassUnknown},
		{ID: "PROVIDER_ENVIRONMENT_UNKNOWN", Class: providers.ClassUnknown},
		{ID: "PROVIDER_NOT_BIDDING", Class: providers.ClassUnhealthy},
		{ID: "PROVIDER_BALANCE_LOW", Class: providers.ClassExpiring},
		{ID: "PROVIDER_POD_UNKNOWN", Class: providers.ClassUnknown},
		{ID: "PROVIDER_CERT_RESTART_DUE", Class: providers.ClassExpiring},
		{ID: "PROVIDER_GATEWAY_CERT", Class: providers.ClassExpiring},
		{ID: "PROVIDER_INGRESS_CERT", Class: providers.ClassExpiring},
		{ID: "PROVIDER_DNS_WRONG", Class: providers.ClassUnhealthy},
		{ID: "PROVIDER_PUBLIC_UNKNOWN", Class: providers.ClassUnknown},
		{ID: "POD_STALE", Class: providers.ClassNotApplied},
		{ID: "CHART_TOO_OLD", Class: providers.ClassNotApplied},
		{ID: "CHART_KNOWN_ISSUE", Class: providers.ClassUnhealthy},
		{ID: "CHART_VALUE_UNKNOWN", Class: providers.ClassUnhealthy},
		{ID: "CHART_IMAGE_OVERRIDDEN", Class: providers.ClassUnhealthy},
		{ID: "CHART_GATE", Class: providers.ClassNotApplied},
		{ID: "CRD_DIFFERS", Class: providers.ClassNotApplied},
		{ID: "CRD_UNKNOWN", Class: providers.ClassUnknown},
		{ID: "OPERATOR_VERSION_DIFFERS", Class: providers.ClassNotApplied},
		{ID: "PRICE_TARGET_DIFFERS", Class: providers.ClassNotApplied},
		{ID: "PRICE_DIFFERS_IN_POD", Class: providers.ClassUnhealthy},
		{ID: "PRICE_CHANGE_LARGE", Class: providers.ClassNotApplied},
		{ID: "PRICE_MODEL_UNPRICED", Class: providers.ClassUnhealthy},
		{ID: "PRICE_MODEL_ABSENT", Class: providers.ClassUnhealthy},
		{ID: "PRICE_WILDCARD", Class: providers.ClassUnhealthy},
		{ID: "PRICE_FLOOR", Class: providers.ClassUnhealthy},
		{ID: "PRICE_UNKNOWN", Class: providers.ClassUnknown},
		{ID: "PRICE_UNREADABLE", Class: providers.ClassUnhealthy},
		{ID: "BID_SCRIPT_MISSING", Class: providers.ClassUnhealthy},
		{ID: "BID_SCRIPT_DIFFERS", Class: providers.ClassNotApplied},
		{ID: "BID_SCRIPT_CUSTOMISED", Class: providers.ClassChanged},
		{ID: "BID_SCRIPT_UNUSABLE", Class: providers.ClassUnhealthy},
		{ID: "BID_SCRIPT_TARGET_UNREAD", Class: providers.ClassChanged},
		{ID: "BID_SCRIPT_OUTDATED", Class: providers.ClassExpiring},
		{ID: "BID_SCRIPT_TOO_OLD", Class: providers.ClassUnhealthy},
		{ID: "BID_SCRIPT_NO_UACT", Class: providers.ClassUnhealthy},
		{ID: "BID_SCRIPT_DEBUG", Class: providers.ClassUnhealthy},
		{ID: "BID_SCRIPT_UNKNOWN", Class: providers.ClassUnknown},
		{ID: "BID_SCRIPT_DIGEST", Class: providers.ClassChanged},
		{ID: "FLEET_GPUS_UNKNOWN", Class: providers.ClassUnknown},
	}...)
}
