package floor

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// suffixes are those of Kubernetes' quantities (apimachinery, pkg/api/resource).
var suffixes = []struct {
	suffix string
	factor float64
}{
	{"Ki", 1 << 10}, {"Mi", 1 << 20}, {"Gi", 1 << 30}, {"Ti", 1 << 40}, {"Pi", 1 << 50}, {"Ei", 1 << 60},
	{"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}, {"P", 1e15}, {"E", 1e18}, {"", 1},
}

// limit is how many of a total a threshold of the kubelet is: a percentage of it, or a quantity. It is false where
// the text is neither.
func limit(threshold string, total uint64) (uint64, bool) {
	if percent, is := strings.CutSuffix(threshold, "%"); is {
		value, err := strconv.ParseFloat(percent, 64)
		if err != nil || !(value >= 0 && value <= 100) {
			return 0, false
		}
		return uint64(float64(total) * value / 100), true
	}
	for _, s := range suffixes {
		number, is := strings.CutSuffix(threshold, s.suffix)
		if !is {
			continue
		}
		value, err := strconv.ParseFloat(number, 64)
		if err != nil || !(value >= 0 && value*s.factor < math.MaxUint64/2) {
			return 0, false
		}
		return uint64(value * s.factor), true
	}
	return 0, false
}

// size spells bytes in binary units: "12.5 GiB".
func size(bytes uint64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	value := float64(bytes)
	i := 0
	for ; value >= 1024 && i < len(units)-1; i++ {
		value /= 1024
	}
	if i == 0 {
		return fmt.Sprintf("%d B", bytes)
	}
	return fmt.Sprintf("%.1f %s", value, units[i])
}
