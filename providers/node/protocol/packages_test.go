package protocol

import (
	"fmt"
	"strings"
	"testing"

	"upkeep/providers/facts"
)

// Only packages of NVIDIA's driver in full versions pass: no option, no pattern, and no order to remove that hides in a
// name.
func TestCheckChange(t *testing.T) {
	at := func(name, version string) facts.AptChange {
		return facts.AptChange{Install: []facts.PackageAt{{Name: name, Version: version}}}
	}
	const version = "580.126.20-0ubuntu0.24.04.1"
	many := facts.AptChange{}
	for i := range mostPackages + 1 {
		many.Install = append(many.Install, facts.PackageAt{Name: fmt.Sprintf("nvidia-x%d", i), Version: "1"})
	}
	twice := at("nvidia-utils-580", version)
	twice.Remove = []string{"nvidia-utils-580"}
	for _, name := range []string{
		"nvidia-driver-580-server-open", "libnvidia-compute-580", "linux-modules-nvidia-580-6.8.0-71-generic",
		"cuda-drivers-580", "cuda-drivers",
		"nvidia-fabricmanager", "libnvidia-nscq-580", "xserver-xorg-video-nvidia-580", "libnvsdm-570",
	} {
		if err := CheckChange(at(name, version)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]facts.AptChange{
		"nothing": {}, "only a removal": {Remove: []string{"nvidia-utils-570"}}, "too many": many, "a package twice": twice,
		"an option":            at("--allow-unauthenticated", "1"),
		"another package":      at("openssh-server", "1"),
		"the container's":      at("nvidia-container-toolkit", "1"),
		"a removal in a name":  at("nvidia-utils-580-", "1"),
		"a plus at the end":    at("nvidia-utils-580+", "1"),
		"a pattern":            at("nvidia-*", "1"),
		"a file":               at("nvidia-x/../../etc", "1"),
		"a space":              at("nvidia-utils-580 bash", "1"),
		"a line":               at("nvidia-utils-580\nbash", "1"),
		"no version":           at("nvidia-utils-580", ""),
		"a glob as version":    at("nvidia-utils-580", "580.*"),
		"an option as version": at("nvidia-utils-580", "-y"),
		"a removal of another": {Install: at("nvidia-utils-580", "1").Install, Remove: []string{"bash"}},
		"a long name":          at("nvidia-"+strings.Repeat("x", 200), "1"),
	} {
		if err := CheckChange(change); err == nil {
			t.Errorf("%s passes: %+v", name, change)
		}
	}
}
