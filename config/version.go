package config

import (
	"fmt"
	"regexp"
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
	_, err := constraintOf(text)
	return err
}

// checkVersion reports a configuration that is not for this version of upkeep. A pre-release counts as the version that
// it leads to.
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
