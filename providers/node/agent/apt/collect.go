// Package apt asks apt what it offers of NVIDIA's driver and what it would do for a change, and has apt do it.
//
// It chooses nothing: names and full versions come from the plan. What it hands to apt are names of packages of the
// driver, full versions and its own options, and nothing else; a request that holds anything else is refused.
//
// It promises that a question writes nothing, not even apt's cache; that nothing is changed where apt would by now do
// anything else than what the plan shows; that a lock which another program holds is an error after a limit, and no
// hang; and that what it says is bounded.
package apt

import (
	"bytes"
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/dpkg"
	"upkeep/providers/node/agent/program"
)

const (
	askTime = 15 * time.Second
	// maxNames is far above the names of all packages of a distribution.
	maxNames = 16 << 20
	// maxOffers bounds how many packages are asked for.
	maxOffers = 300
)

// Collect answers a question. The kernels are the one that runs and the one that boots next.
func Collect(ctx context.Context, d *disk.Disk, q facts.AptQuestion, kernels ...string) facts.Apt {
	a := facts.Apt{Branch: q.Branch}
	if !branchPattern.MatchString(q.Branch) {
		a.Unknown = "the question names no branch of the driver"
		return a
	}
	kernels = slices.DeleteFunc(slices.Clone(kernels), func(k string) bool { return k == "" })
	slices.Sort(kernels)
	kernels = slices.Compact(kernels)
	var wg sync.WaitGroup
	if q.Change != nil {
		wg.Go(func() { a.Trial = try(ctx, d, *q.Change) })
	}
	for _, k := range kernels {
		if kernelPattern.MatchString(k) && d.Exists("/usr/src/linux-headers-"+k) {
			a.Headers = append(a.Headers, k)
		}
	}
	offers, err := offers(ctx, d, q.Branch, kernels)
	wg.Wait()
	a.Offers = offers
	if err != nil {
		a.Unknown = err.Error()
	}
	return a
}

var (
	branchPattern = regexp.MustCompile(`^[0-9]{3}$`)
	kernelPattern = regexp.MustCompile(`^[0-9][A-Za-z0-9.+~_-]{0,99}$`)
)

// offers asks apt for the packages of a branch.
func offers(ctx context.Context, d *disk.Disk, branch string, kernels []string) ([]facts.Offer, error) {
	answer, err := program.Ask(ctx, d, program.Question{
		Places: []string{"/usr/bin/apt-cache"}, Args: append(dpkg.NoCache(), "pkgnames"), Limit: askTime, Most: maxNames,
	})
	if err != nil {
		return nil, err
	}
	return dpkg.Offers(ctx, d, ofBranch(answer, branch, kernels))
}

// ofBranch picks the names of the driver's packages of a branch, and of those that have no branch in their name.
func ofBranch(names []byte, branch string, kernels []string) (out []string) {
	for line := range bytes.Lines(names) {
		name := strings.TrimSpace(string(line))
		n, ours := facts.ParseDriverName(name)
		switch {
		case !ours || n.Branch != "" && n.Branch != branch:
		case n.ForRelease() && !slices.Contains(kernels, n.Kernel):
		default:
			out = append(out, name)
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), maxOffers)]
}
