package window

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	// A label's name and value (Kubernetes, "Labels and Selectors", Syntax and character set), at most 63 characters.
	labelName  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$`)
	labelValue = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$`)
	// The prefix before the slash is a DNS subdomain of at most 253 characters.
	labelPrefix = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
)

// checkLabel refuses what no Kubernetes node can have as a label: such a window would never hold for anything.
func checkLabel(key, value string) error {
	prefix, name, prefixed := strings.Cut(key, "/")
	if !prefixed {
		name = key
	}
	switch {
	case len(name) > 63 || !labelName.MatchString(name):
		return fmt.Errorf("%q is no key of a Kubernetes label; write it as in topology.kubernetes.io/zone", key)
	case prefixed && (len(prefix) > 253 || !labelPrefix.MatchString(prefix)):
		return fmt.Errorf("%q before the slash in the label %q is no DNS name", prefix, key)
	case len(value) > 63 || !labelValue.MatchString(value):
		return fmt.Errorf("%q is no value of a Kubernetes label; at most 63 letters, digits, \"-\", \"_\" and \".\"", value)
	}
	return nil
}
