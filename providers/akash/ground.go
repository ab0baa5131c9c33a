package akash

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"

	"upkeep/providers/facts"
)

// provider is the running half of a release: the StatefulSet that runs the provider and its pod.
type provider struct {
	workload facts.Workload
	found    bool
	// pod is nil where none exists.
	pod *facts.Pod
}

// containerName is the chart's name for the provider's container (akash.md 2.3).
const containerName = "provider"

// providerOf finds the provider in a release: the StatefulSet with the release's name, else the first one.
func providerOf(r facts.Release) provider {
	var p provider
	for _, w := range r.Workloads {
		if w.Kind != "StatefulSet" {
			continue
		}
		if !p.found || w.Name == r.Name {
			p.workload, p.found = w, true
		}
		if w.Name == r.Name {
			break
		}
	}
	for i := range p.workload.Pods {
		if !p.workload.Pods[i].Deleting {
			p.pod = &p.workload.Pods[i]
			break
		}
	}
	return p
}

// container returns the provider's container of a pod; nil where there is none.
func container(pod *facts.Pod) *facts.Container {
	if pod == nil {
		return nil
	}
	i := slices.IndexFunc(pod.Containers, func(c facts.Container) bool { return c.Name == containerName })
	if i < 0 {
		return nil
	}
	return &pod.Containers[i]
}

// The marks on a StatefulSet while upkeep keeps the provider stopped: which run stopped it, and how many replicas it
// had before. They are taken away when the provider is started again.
const (
	MarkAnnotation = "upkeep.dev/stopped-by"
	MarkReplicas   = "upkeep.dev/stopped-replicas"
)

// stoppedByUs reports whether upkeep has stopped the provider.
func (p provider) stoppedByUs() bool {
	_, marked := p.workload.Annotations[MarkAnnotation]
	return p.found && marked
}

// rendered is the text that the chart makes of a value, and false where it leaves the variable out: templates take
// zero, false, null and "" for not set, and write a float64 as Go does, with an exponent where that is shorter
// (akash.md 2.5).
func rendered(value any) (string, bool) {
	switch v := value.(type) {
	case nil:
		return "", false
	case string:
		return v, v != ""
	case float64:
		if v == 0 {
			return "", false
		}
	case bool:
		if !v {
			return "", false
		}
	}
	return fmt.Sprint(value), true
}

var decimalPattern = regexp.MustCompile(`^[0-9]{1,30}(\.[0-9]{1,30})?$`)

// decimal reads a plain decimal; nil where the text is none: bc knows no exponents.
func decimal(text string) *big.Rat {
	if !decimalPattern.MatchString(text) {
		return nil
	}
	value, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil
	}
	return value
}

// sameNumber reports whether two texts are the same plain decimal: 1.60 is 1.6.
func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	x, y := decimal(a), decimal(b)
	return x != nil && y != nil && x.Cmp(y) == 0
}

// sameMapping reports whether two mappings mean the same to the script: the same models, each once, at the same prices.
func sameMapping(a, b string) bool {
	if a == b {
		return true
	}
	x, okX := items(a)
	y, okY := items(b)
	if !okX || !okY || len(x) != len(y) {
		return false
	}
	for model, price := range x {
		if other, ok := y[model]; !ok || !sameNumber(price, other) {
			return false
		}
	}
	return true
}

// items reads a mapping as it should be; false where the script would read it otherwise than it looks.
func items(text string) (map[string]string, bool) {
	out := map[string]string{}
	if text == "" {
		return out, true
	}
	for item := range strings.SplitSeq(strings.TrimSuffix(text, ","), ",") {
		model, price, found := strings.Cut(item, "=")
		if _, twice := out[model]; twice || !found || !modelPattern.MatchString(model) || decimal(price) == nil {
			return nil, false
		}
		out[model] = price
	}
	return out, true
}

// sameValue reports whether a value of the release already means what is wanted.
func sameValue(name string, has any, wanted string) bool {
	text, set := rendered(has)
	if !set {
		return wanted == "" // an empty mapping is what no mapping is to the script
	}
	if _, isText := has.(string); !isText && name == valueGPU {
		return false // a bare number is no mapping
	}
	if name == valueGPU {
		return sameMapping(text, wanted)
	}
	return sameNumber(text, wanted)
}

// scriptOf returns the script of a release's values; false where there is none. A text that is no base64 becomes the
// script's body at random: the chart writes the error into it (akash.md 2.5).
func scriptOf(values map[string]any) (body string, ok bool) {
	text, _ := values[valueScript].(string)
	if text == "" {
		return "", false
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return err.Error(), true
	}
	return string(data), true
}

func encodeScript(body string) string { return base64.StdEncoding.EncodeToString([]byte(body)) }

// variables are the variables of the pod that carry prices, with the values that they come from.
func variables() []struct{ value, variable string } {
	out := make([]struct{ value, variable string }, 0, len(priceTargets)+3)
	for _, p := range priceTargets {
		out = append(out, struct{ value, variable string }{p.value, p.variable})
	}
	return append(out,
		struct{ value, variable string }{valueGPU, variableGPU},
		struct{ value, variable string }{"whitelist_url", "WHITELIST_URL"},
		struct{ value, variable string }{valueDebug, "DEBUG_BID_SCRIPT"})
}

// mismatch is a variable that the running pod has otherwise than the release's values say.
type mismatch struct{ variable, has, wanted string }

// mismatches compares the provider's container with the values of its release. stale is a variable whose ConfigMap has
// changed since the container started, so that its value cannot be told.
func mismatches(r facts.Release, c facts.Container) (wrong []mismatch, stale string) {
	for _, v := range variables() {
		wanted, _ := rendered(r.Values[v.value])
		has := r.Variable(c, v.variable)
		switch {
		case has.Stale:
			stale = v.variable
		case has.Set && has.From != "spec" && has.From != "container" && !strings.HasPrefix(has.From, "config map "):
			// it comes from a secret: nothing of the chart's, and nothing that can be compared
		case v.value == valueGPU && sameMapping(has.Value, wanted), sameNumber(has.Value, wanted):
		default:
			wrong = append(wrong, mismatch{v.variable, has.Value, wanted})
		}
	}
	return wrong, stale
}

// withVariables returns a container as it is after a start with the values of a release.
func withVariables(c facts.Container, values map[string]any) facts.Container {
	live := make(map[string]string, len(c.Live)+len(variables()))
	for name, value := range c.Live {
		live[name] = value
	}
	for _, v := range variables() {
		delete(live, v.variable)
		if text, set := rendered(values[v.value]); set {
			live[v.variable] = text
		}
	}
	c.Live, c.LiveUnknown = live, ""
	return c
}
