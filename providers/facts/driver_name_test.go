package facts

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseDriverName(t *testing.T) {
	for name, want := range map[string]DriverName{
		"nvidia-driver-580-server-open":  {Stem: "nvidia-driver", Branch: "580", Server: true, Open: true},
		"nvidia-driver":                  {Stem: "nvidia-driver"},
		"nvidia-open-580":                {Stem: "nvidia-open", Branch: "580"},
		"nvidia-headless-no-dkms-570":    {Stem: "nvidia-headless-no-dkms", Branch: "570"},
		"libnvidia-compute-570-server":   {Stem: StemCompute, Branch: "570", Server: true},
		"nvidia-fabricmanager":           {Stem: StemManager},
		"nvidia-dkms-open":               {Stem: StemDKMS, Open: true},
		"cuda-drivers-fabricmanager-570": {Stem: "cuda-drivers-fabricmanager", Branch: "570"},
		"linux-modules-nvidia-580-server-open-6.8.0-71-generic": {
			Stem: StemModules, Branch: "580", Server: true, Open: true, Kernel: "6.8.0-71-generic",
		},
		"linux-modules-nvidia-580-generic": {Stem: StemModules, Branch: "580", Kernel: "generic"},
	} {
		got, ok := ParseDriverName(name)
		if diff := cmp.Diff(want, got); diff != "" || !ok {
			t.Errorf("%s: %v (-want +got):\n%s", name, ok, diff)
		}
		if got.String() != name {
			t.Errorf("%s became %s", name, got)
		}
	}
	for _, name := range []string{
		"nvidia-container-toolkit", "nvidia-settings", "nvidia-driver-pinning-595", "nvidia-driver-5800",
		"linux-modules-nvidia-580",
		"cuda-compat-12-4", "nvidia-cuda-toolkit", "",
	} {
		if n, ok := ParseDriverName(name); ok {
			t.Errorf("%s is %+v", name, n)
		}
	}
}
