package akash

import (
	"strings"
	"time"

	"upkeep/config"
)

// fundsMonitor is how often the provider looks at leases' funds where lease_funds_monitor_interval does not say: its
// program refuses to start where withdrawalperiod is shorter (akash.md 2.2).
const fundsMonitor = config.Duration(10 * time.Minute)

// trap warns of a value that the chart takes and the provider does not stand (akash.md 2.2, 2.3).
func (r *reading) trap(tree map[string]any, key string) {
	warn := func(at, summary, detail string) { r.warn(r.block, at, summary, "%s", detail) }
	at := r.block.Item("values", key)
	switch value := tree[key].(type) {
	case map[string]any:
		if key == "letsEncrypt" && value["enabled"] == false {
			if inner := r.block.Item("values", "letsEncrypt.enabled"); inner != "values" {
				at = inner
			}
			warn(at, "A chart that does not install",
				"With letsEncrypt.enabled = false the chart, as of 19.0.2, renders variables where Kubernetes takes none. Leave it out.")
		}
	case float64:
		if strings.HasPrefix(key, "overcommit_pct_") && value > 0 && value < 100 {
			warn(at, "No overcommitment", key+" is divided by 100 without a rest: anything below 100 has no effect.")
		}
	case string:
		if _, own := tree["lease_funds_monitor_interval"]; own || key != "withdrawalperiod" {
			return
		}
		if period, err := config.ParseDuration(value); err == nil && period < fundsMonitor {
			warn(at, "A provider that does not start",
				"withdrawalperiod is shorter than the interval in which the provider looks at leases' funds, "+fundsMonitor.String()+"; it then refuses to start.")
		}
	}
}
