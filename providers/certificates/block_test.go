package certificates_test

import (
	"strings"
	"testing"
	"time"

	"upkeep/config"
	"upkeep/fixtures/worlds"
	"upkeep/providers/certificates"
)

func TestFitting(t *testing.T) {
	const life = "certificateValidityPeriod: "
	living := func(validity string) string {
		return strings.Replace(worlds.ClusterConfiguration, life+"8760h0m0s", life+validity, 1)
	}
	for name, test := range map[string]struct {
		configuration string
		want          time.Duration
	}{
		"a year":                          {worlds.ClusterConfiguration, 30 * day},
		"nothing is known":                {"", 30 * day},
		"what cannot be read":             {"{", 30 * day},
		"a month and a day":               {living("744h0m0s"), 30 * day},
		"as long as the renewal is early": {living("720h0m0s"), 10 * day},
		"less, in days":                   {living("640h0m0s"), 8 * day},
		"in hours":                        {living("25h0m0s"), 8 * time.Hour},
		"in minutes":                      {living("100m0s"), 33 * time.Minute},
	} {
		if got := certificates.Fitting(config.Duration(30*day), test.configuration); time.Duration(got) != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
