package certificates

import (
	"fmt"
	"strings"

	"upkeep/config"
	"upkeep/providers"
)

// Blocks writes the certificates blocks of a configuration in the language, for somebody who has none yet: what is watched and
// how early it is renewed, with copies of admin.conf, and what a person decides as a comment.
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
		b.WriteString("  # A plan is refused without a proved backup, unless you say why there need not be one:\n")
		b.WriteString("  # without = { backup = \"etcd is backed up by a job of its own\" }\n}\n")
	}
	return b.String()
}
