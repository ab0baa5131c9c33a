package akash

import (
	"errors"
	"fmt"

	"upkeep/providers/akash/price"
	"upkeep/providers/akash/script"
	"upkeep/providers/facts"
)

// Charged is how a provider prices, as it was observed.
type Charged struct {
	Script script.Recognition
	// Body is the script's text, Values those of the release.
	Body   string
	Values map[string]any
	// Targets are those of the release's values; the script may have others in its text.
	Targets price.Targets
	// Fleet are the GPUs that its nodes offer.
	Fleet []price.FleetGPU
}

// Charged returns how the provider of the block prices in an observed world. It is an error where that is not known,
// and where no script says it.
func (s Spec) Charged(w facts.World) (Charged, error) {
	name := s.Namespace + "/" + s.Release
	release := w.Release(s.Namespace, s.Release)
	switch {
	case release.Unknown != "":
		return Charged{}, fmt.Errorf("release %s is not known: %s", name, release.Unknown)
	case release.Missing:
		return Charged{}, fmt.Errorf("there is no release %s", name)
	case w.Kubernetes.Unknown != "":
		return Charged{}, fmt.Errorf("the GPUs of the nodes are not known: %s", w.Kubernetes.Unknown)
	}
	body, scripted := scriptOf(release.Values)
	if !scripted {
		return Charged{}, errors.New("release " + name + " has no bid price script: it prices by scale, where GPUs are free, so it has no prices to take over; declare bid_script and price_targets")
	}
	kinds, _ := fleetOf(w.Kubernetes)
	return Charged{Script: script.Recognise([]byte(body)), Body: body, Values: release.Values,
		Targets: price.TargetsOf(release.Values), Fleet: models(kinds)}, nil
}
