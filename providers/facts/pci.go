package facts

import (
	"regexp"
	"slices"
	"strings"
)

var pciAddress = regexp.MustCompile(`^([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})(?:\.[0-7])?$`)

// PCIAddress brings the address of a PCI device into one form, domain:bus:device with a domain of four digits
// and without the function: sysfs says "0000:3b:00.0", NVML "00000000:3B:00.0" and the kernel log "0000:3b:00".
// What is no address is empty.
func PCIAddress(s string) string {
	m := pciAddress.FindStringSubmatch(strings.ToLower(strings.TrimSpace(s)))
	if m == nil {
		return ""
	}
	domain := strings.TrimLeft(m[1], "0")
	if len(domain) < 4 {
		domain = strings.Repeat("0", 4-len(domain)) + domain
	}
	return domain + ":" + m[2] + ":" + m[3]
}

func sorted(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}
