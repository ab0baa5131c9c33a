package akash

import (
	"fmt"
	"strconv"
	"time"

	"upkeep/providers/facts"
)

// monitor is how long the provider watches a lease whose pods do not run before it closes the lease.
type monitor struct {
	// Deadline is valid where Unknown is empty.
	Deadline time.Duration
	Unknown  string
}

// monitorOf reads the deadline from the environment of the running pod: maxRetries x (retryPeriod + jitter/2)
// (akash.md 10.5). No retries at all close a lease at the first failed look.
func monitorOf(r facts.Release) monitor {
	p := providerOf(r)
	c := container(p.pod)
	if c == nil {
		return monitor{Unknown: "the provider does not run"}
	}
	read := func(name string) (string, string) {
		v := r.Variable(*c, name)
		switch {
		case v.Stale:
			return "", "its ConfigMap changed after the provider started: " + name
		case !v.Set || v.Value == "":
			return "", "the provider's environment has no " + name
		}
		return v.Value, ""
	}
	var durations [2]time.Duration
	for i, name := range []string{"AKASH_MONITOR_RETRY_PERIOD", "AKASH_MONITOR_RETRY_PERIOD_JITTER"} {
		text, why := read(name)
		if why != "" {
			return monitor{Unknown: why}
		}
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return monitor{Unknown: fmt.Sprintf("%s is %q", name, text)}
		}
		durations[i] = d
	}
	text, why := read("AKASH_MONITOR_MAX_RETRIES")
	if why != "" {
		return monitor{Unknown: why}
	}
	retries, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return monitor{Unknown: fmt.Sprintf("AKASH_MONITOR_MAX_RETRIES is %q", text)}
	}
	one := float64(durations[0]) + float64(durations[1])/2
	deadline := float64(retries) * one
	if limit := float64(1 << 62); deadline > limit {
		deadline = limit
	}
	return monitor{Deadline: time.Duration(deadline)}
}
