package certificates

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/config"
	"upkeep/providers"
)

// Fitted returns declared blocks, those of certificates with the renew_before that Fitting gives them.
func Fitted(declared []config.Declared, configuration string) []config.Declared {
	declared = slices.Clone(declared)
	for i := range declared {
		if spec, is := declared[i].Value.(Spec); is {
			spec.RenewBefore = Fitting(spec.RenewBefore, configuration)
			declared[i].Value = spec
		}
	}
	return declared
}

// Fitting returns how early certificates can be renewed that a cluster issues by its kubeadm configuration: as asked
// for, or a third of their life where a new one would be due at once. Without a configuration nothing is known against
// it.
func Fitting(before config.Duration, configuration string) config.Duration {
	if configuration == "" {
		return before
	}
	issued, err := readPolicy(configuration)
	if err != nil || time.Duration(before) < issued.validity {
		return before
	}
	third := fitting(issued.validity)
	for _, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute} {
		if third >= unit {
			return config.Duration(third.Truncate(unit))
		}
	}
	return config.Duration(third)
}

// fitting is a third of a certificate's life: early enough to act and late enough to converge.
func fitting(validity time.Duration) time.Duration { return validity / 3 }

// Blocks writes the certificates blocks of a configuration in the language, for somebody who has none yet: what is
// watched and how early it is renewed, with copies of admin.conf, and what a person decides as a comment.
func Blocks(desired config.Desired, kubeconfigs []string) string {
	var b strings.Builder
	for _, s := range providers.Declared[Spec](desired) {
		fmt.Fprintf(&b, "certificates %q {\n  nodes = role(\"control-plane\")\n", s.Name)
		if before := s.RenewBefore.String(); before != "" {
			fmt.Fprintf(&b, "  renew_before = %s\n", config.Quote(before))
		}
		if len(kubeconfigs) > 0 {
			var paths []string
			for _, path := range kubeconfigs {
				paths = append(paths, config.Quote(path))
			}
			fmt.Fprintf(&b, "  kubeconfigs = [%s]\n", strings.Join(paths, ", "))
		}
		b.WriteString("  # Restarts may begin at any time. To restrict them, declare a maintenance_window and name it here:\n")
		b.WriteString("  window = \"always\"\n")
		b.WriteString("  # A plan is refused without a proved backup, unless you say why there need not be one:\n")
		b.WriteString("  # without = { backup = \"etcd is backed up by a job of its own\" }\n}\n")
	}
	return b.String()
}
