package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// pessimistic matches "~> 1.2" and "~> 1.2.3". Terraform lets the last number written grow, so the first means 1.2 or
// later before 2.0; semver's tilde means 1.2.x for both.
var pessimistic = regexp.MustCompile(`~>\s*v?(\d+)\.(\d+)(\.\d+)?`)

// constraintOf reads a version constraint in Terraform's spelling.
func constraintOf(text string) (*semver.Constraints, error) {
	rewritten := pessimistic.ReplaceAllStringFunc(text, func(m string) string {
		parts := pessimistic.FindStringSubmatch(m)
		if parts[3] != "" {
			return fmt.Sprintf("~%s.%s%s", parts[1], parts[2], parts[3])
		}
		return fmt.Sprintf(">= %s.%s, < %s.0.0-0", parts[1], parts[2], increment(parts[1]))
	})
	c, err := semver.NewConstraint(rewritten)
	if err != nil {
		return nil, fmt.Errorf("%q is not a version constraint; write for example \">= 0.1\", \"~> 1.2\" or \">= 1.2, < 1.5\"", text)
	}
	return c, nil
}

func increment(number string) string {
	var n uint64
	if _, err := fmt.Sscanf(number, "%d", &n); err != nil {
		return number
	}
	return fmt.Sprint(n + 1)
}

// checkConstraint reports whether a text is a version constraint; the empty text is.
func checkConstraint(text string) error {
	if text == "" {
		return nil
	}
	c, err := constraintOf(text)
	if err == nil && !Satisfiable(c, text) {
		return fmt.Errorf("no version is %q; the parts contradict each other", text)
	}
	return err
}

// numbers matches what a constraint compares with.
var numbers = regexp.MustCompile(`\d+(?:\.\d+){0,2}(?:-[0-9A-Za-z.-]+)?`)

// Satisfiable reports whether some version fits a constraint. What a constraint allows begins and ends at the
// versions that its text names, so it is enough to try these, and those just below and above each.
func Satisfiable(c *semver.Constraints, text string) bool {
	tries := []string{"0.0.0", "0.0.1"}
	for _, named := range numbers.FindAllString(text, -1) {
		v, err := semver.NewVersion(named)
		if err != nil {
			return true // not ours to judge
		}
		const far = 999_999
		below := fmt.Sprintf("%d.%d.%d", v.Major(), v.Minor(), max(v.Patch(), 1)-1)
		switch {
		case v.Patch() > 0:
		case v.Minor() > 0:
			below = fmt.Sprintf("%d.%d.%d", v.Major(), v.Minor()-1, far)
		case v.Major() > 0:
			below = fmt.Sprintf("%d.%d.%d", v.Major()-1, far, far)
		}
		tries = append(tries, v.String(), below, v.IncPatch().String(), fmt.Sprintf("%d.%d.0", v.Major(), v.Minor()+1), fmt.Sprintf("%d.0.0", v.Major()+1), v.String()+".1")
	}
	return slices.ContainsFunc(tries, func(s string) bool {
		v, err := semver.NewVersion(s)
		return err == nil && c.Check(v)
	})
}

// checkVersion reports a configuration that is not for this version of upkeep. A pre-release counts as the version
// that it leads to.
func (l *loader) checkVersion(b Block, constraint string) {
	if constraint == "" || l.options.Version == "" {
		return
	}
	c, err := constraintOf(constraint)
	if err != nil {
		return // reported when the block was decoded
	}
	core, _, _ := strings.Cut(l.options.Version, "-")
	version, err := semver.NewVersion(core)
	if err != nil || c.Check(version) {
		return
	}
	l.report(b.Diagnose("required_version", "Wrong version of upkeep",
		fmt.Sprintf("This configuration needs upkeep %s, and this is %s. Install a version that fits, or change required_version.", constraint, l.options.Version)))
}
