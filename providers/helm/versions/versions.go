// Package versions chooses chart versions: newest first, by constraint, without those that are known to be bad.
//
// It is pure. Versions and constraints are those of Helm: semantic versions 2, by Masterminds/semver, a leading "v"
// allowed. A pre-release is chosen only by a constraint that names one.
package versions

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"upkeep/providers/facts"
)

// Sort puts the newest version first; what is no semantic version comes last, in the order of the alphabet.
func Sort(list []facts.ChartVersion) []facts.ChartVersion {
	type parsed struct {
		chart   facts.ChartVersion
		version *semver.Version
	}
	all := make([]parsed, len(list))
	for i, chart := range list {
		version, _ := semver.NewVersion(chart.Version)
		all[i] = parsed{chart, version}
	}
	slices.SortStableFunc(all, func(a, b parsed) int {
		switch {
		case a.version != nil && b.version != nil:
			if order := b.version.Compare(a.version); order != 0 {
				return order
			}
		case a.version != nil:
			return -1
		case b.version != nil:
			return 1
		}
		return cmp.Or(strings.Compare(a.chart.Version, b.chart.Version), strings.Compare(a.chart.Digest, b.chart.Digest))
	})
	out := make([]facts.ChartVersion, len(all))
	for i, p := range all {
		out[i] = p.chart
	}
	return out
}

// Newest returns the newest version that is neither a pre-release nor deprecated.
func Newest(list []facts.ChartVersion) (facts.ChartVersion, bool) {
	for _, chart := range Sort(list) {
		version, err := semver.NewVersion(chart.Version)
		if err == nil && version.Prerelease() == "" && !chart.Deprecated {
			return chart, true
		}
	}
	return facts.ChartVersion{}, false
}

// Resolve returns the version that a constraint chooses: the newest that it allows and that exclude does not name. An
// empty constraint allows every release. An exact version is chosen even when it is excluded: the caller has said so.
func Resolve(list []facts.ChartVersion, constraint string, exclude []string) (facts.ChartVersion, error) {
	sorted := Sort(list)
	if exact, err := semver.StrictNewVersion(strings.TrimPrefix(strings.TrimSpace(constraint), "v")); err == nil {
		for _, chart := range sorted {
			if version, err := semver.NewVersion(chart.Version); err == nil && version.Equal(exact) && version.Metadata() == exact.Metadata() {
				return chart, nil
			}
		}
		return facts.ChartVersion{}, fmt.Errorf("there is no version %s; %s", constraint, known(sorted))
	}
	if strings.TrimSpace(constraint) == "" {
		constraint = "*"
	}
	allowed, err := semver.NewConstraint(constraint)
	if err != nil {
		return facts.ChartVersion{}, fmt.Errorf("version constraint %q: %w; write 6.0.5, \">= 0.16.2\" or \"~0.16\"", constraint, err)
	}
	excluded := 0
	for _, chart := range sorted {
		version, err := semver.NewVersion(chart.Version)
		if err != nil || !allowed.Check(version) {
			continue
		}
		if slices.ContainsFunc(exclude, func(bad string) bool { return Equal(bad, chart.Version) }) {
			excluded++
			continue
		}
		return chart, nil
	}
	if excluded > 0 {
		return facts.ChartVersion{}, fmt.Errorf("every version that %q allows is known to be bad (%s); %s", constraint, strings.Join(exclude, ", "), known(sorted))
	}
	return facts.ChartVersion{}, fmt.Errorf("no version fits %q; %s", constraint, known(sorted))
}

// Fits reports whether a version is one that a constraint may choose: it allows it, and exclude does not name it. An
// empty constraint allows every release; what is no version or no constraint does not fit.
func Fits(version, constraint string, exclude []string) bool {
	if strings.TrimSpace(constraint) == "" {
		constraint = "*"
	}
	ok, err := Satisfies(version, constraint)
	return err == nil && ok && !slices.ContainsFunc(exclude, func(bad string) bool { return Equal(bad, version) })
}

// Keep returns the version that runs where it is in the list and fits, else what Resolve returns. Nothing runs where
// running is empty.
func Keep(list []facts.ChartVersion, running, constraint string, exclude []string) (facts.ChartVersion, error) {
	if running != "" && Fits(running, constraint, exclude) {
		for _, chart := range list {
			if Equal(chart.Version, running) {
				return chart, nil
			}
		}
	}
	return Resolve(list, constraint, exclude)
}

// Like returns the version of a chart that goes with a version of another one: the newest whose program has the same
// version, else the one with the same version as the chart.
func Like(list, other []facts.ChartVersion, version string) (facts.ChartVersion, error) {
	program := ""
	for _, chart := range other {
		if Equal(chart.Version, version) {
			program = chart.AppVersion
		}
	}
	sorted := Sort(list)
	if program != "" {
		for _, chart := range sorted {
			if chart.AppVersion != "" && Equal(chart.AppVersion, program) {
				return chart, nil
			}
		}
	}
	for _, chart := range sorted {
		if Equal(chart.Version, version) {
			return chart, nil
		}
	}
	if program == "" {
		return facts.ChartVersion{}, fmt.Errorf("there is no version %s, and it is not known which program version it would need; %s", version, known(sorted))
	}
	return facts.ChartVersion{}, fmt.Errorf("there is no version of program %s, and no version %s; %s", program, version, known(sorted))
}

// known says which versions there are, shortly.
func known(sorted []facts.ChartVersion) string {
	if len(sorted) == 0 {
		return "the source has none at all"
	}
	const most = 5
	var names []string
	for _, chart := range sorted[:min(most, len(sorted))] {
		names = append(names, chart.Version)
	}
	text := "it has " + strings.Join(names, ", ")
	if len(sorted) > most {
		text += fmt.Sprintf(" and %d older", len(sorted)-most)
	}
	return text
}

// Equal reports whether two texts are the same version; "v1.2.3" and "1.2.3" are. "1.2" is none: it stands for all of
// 1.2.x.
func Equal(a, b string) bool {
	va, errA := semver.StrictNewVersion(strings.TrimPrefix(a, "v"))
	vb, errB := semver.StrictNewVersion(strings.TrimPrefix(b, "v"))
	if errA != nil || errB != nil {
		return a == b
	}
	return va.Equal(vb)
}

// Same reports whether two texts are the same version with the same build metadata, which Equal passes over: "1.2.3+a"
// and "1.2.3+b" are two charts (Semantic Versioning 2.0.0, 10).
func Same(a, b string) bool {
	va, errA := semver.StrictNewVersion(strings.TrimPrefix(a, "v"))
	vb, errB := semver.StrictNewVersion(strings.TrimPrefix(b, "v"))
	if errA != nil || errB != nil {
		return a == b
	}
	return va.Equal(vb) && va.Metadata() == vb.Metadata()
}

// Compare orders two versions as Sort does, older first: -1, 0, 1. It fails for a text that is no version.
func Compare(a, b string) (int, error) {
	va, err := semver.NewVersion(a)
	if err != nil {
		return 0, fmt.Errorf("version %q: %w", a, err)
	}
	vb, err := semver.NewVersion(b)
	if err != nil {
		return 0, fmt.Errorf("version %q: %w", b, err)
	}
	return va.Compare(vb), nil
}

// Older reports whether a version is older than another one: to go there is a downgrade. A text that is no version is
// not.
func Older(version, than string) bool {
	order, err := Compare(version, than)
	return err == nil && order < 0
}

// Satisfies reports whether a version fits a constraint.
func Satisfies(version, constraint string) (bool, error) {
	v, err := semver.NewVersion(version)
	if err != nil {
		return false, fmt.Errorf("version %q: %w", version, err)
	}
	c, err := semver.NewConstraint(constraint)
	if err != nil {
		return false, fmt.Errorf("version constraint %q: %w", constraint, err)
	}
	return c.Check(v), nil
}
