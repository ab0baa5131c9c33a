package planner

import (
	"fmt"
	"strings"

	"upkeep/config"
	"upkeep/providers"
)

// ConfigurationError says that a plan was made from another configuration than that of the one who applies it.
type ConfigurationError struct {
	// Differ are what differs, such as "cluster.kubeconfig"; never empty.
	Differ []string
}

// Error names what differs and the way out.
func (e *ConfigurationError) Error() string {
	return fmt.Sprintf("this plan was made from another configuration: %s differ%s; restore the configuration that was planned, or make a new plan with `upkeep plan -out=FILE`",
		strings.Join(e.Differ, ", "), map[bool]string{true: "s"}[len(e.Differ) == 1])
}

// Under returns a plan, built again, that takes where to connect and where to write from the configuration of the one who
// applies it, and nothing of that from its file: what is known of nodes that were out comes from the plan's own memory. A
// plan from another configuration is a *ConfigurationError, and one that the same configuration does not give a
// *DigestError.
//
// The configuration must be sealed under the same key as that of the plan; directory is where it lies.
func (p Plan) Under(desired config.Desired, directory string, types []providers.Type) (Plan, error) {
	differ, err := config.Differences(p.Request.Desired, p.Request.Directory, desired, directory)
	if err != nil {
		return Plan{}, fmt.Errorf("compare the configuration with the plan's: %w", err)
	}
	if len(differ) > 0 {
		return Plan{}, &ConfigurationError{differ}
	}
	if p.Request.Desired, err = WithOuts(desired, p.Request.Memory); err != nil {
		return Plan{}, err
	}
	p.Request.Directory = directory
	return Rebuild(p, types)
}
