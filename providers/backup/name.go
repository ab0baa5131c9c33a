package backup

import (
	"strings"
	"time"

	"upkeep/providers"
)

// IDPrefix begins the ids of the bundles that a resource takes of a cluster: "daily-cdf818194e3a8c32-". Neither another
// block nor another cluster takes bundles with the same beginning.
func IDPrefix(address providers.Address, clusterID string) string {
	name := address.Name
	if address.Key != "" {
		name += "." + spelled(address.Key)
	}
	return name + "-" + clusterID + "-"
}

// NewID returns the id of a bundle taken at a time; random is a few hexadecimal digits that make it unique.
func NewID(address providers.Address, clusterID string, at time.Time, random string) string {
	return IDPrefix(address, clusterID) + at.UTC().Format("20060102T150405Z") + "-" + random
}

// spelled spells a for_each key in the letters of a bundle's id: every other byte as "_" and its two hexadecimal
// digits.
func spelled(key string) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for _, c := range []byte(key) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-':
			b.WriteByte(c)
		default:
			b.WriteByte('_')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}
