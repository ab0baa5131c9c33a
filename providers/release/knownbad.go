package release

import (
	"fmt"

	"upkeep/providers/helm/versions"
)

// badVersion is a version of a chart that is never installed.
type badVersion struct{ chart, version, why, instead string }

// badVersions are told apart by the chart's own name, wherever it comes from.
var badVersions = []badVersion{
	// NVIDIA/k8s-device-plugin issue 856; akash-network/support issue 242.
	{"nvidia-device-plugin", "0.16.0", pluginWhy, pluginInstead},
	{"nvidia-device-plugin", "0.16.1", pluginWhy, pluginInstead},
}

const (
	pluginWhy     = "it dropped the capability SYS_ADMIN, so that the plugin fails with \"nvml init failed: ERROR_LIBRARY_NOT_FOUND\" and nodes offer no GPU"
	pluginInstead = "a version of 0.15, or 0.16.2 or newer"
)

// bad returns what is known against a version of a chart, and whether anything is.
func bad(chart, version string) (badVersion, bool) {
	for _, b := range badVersions {
		if b.chart == chart && versions.Equal(b.version, version) {
			return b, true
		}
	}
	return badVersion{}, false
}

// excluded are the versions of a chart that are never chosen.
func excluded(chart string) []string {
	var out []string
	for _, b := range badVersions {
		if b.chart == chart {
			out = append(out, b.version)
		}
	}
	return out
}

func (b badVersion) String() string {
	return fmt.Sprintf("version %s of %s is known to be bad: %s", b.version, b.chart, b.why)
}
