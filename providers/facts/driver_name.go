package facts

import (
	"regexp"
	"strings"
)

// DriverName is the name of a package of NVIDIA's driver, taken apart. Repositories differ in the parts that they
// write; the stem is the same in all of them.
type DriverName struct {
	// Stem says what it is: "nvidia-driver", "libnvidia-compute", "linux-modules-nvidia".
	Stem string
	// Branch is "580"; empty where the name has none, as in NVIDIA's repository from 590 on.
	Branch string
	// Server: it is of the server track of Ubuntu's archive. Open: it is, or depends on, the open kernel module.
	Server, Open bool
	// Kernel is what a package of modules is for: a release, or a flavour such as "generic".
	Kernel string
}

// The stems with a meaning of their own.
const (
	StemModules = "linux-modules-nvidia" // built by Ubuntu for one kernel
	StemDKMS    = "nvidia-dkms"          // built on the node for each kernel
	StemManager = "nvidia-fabricmanager"
	StemCompute = "libnvidia-compute" // libcuda and libnvidia-ml
)

// stems are the packages whose version is the driver's. A longer one stands before its beginning.
var stems = []string{
	"cuda-drivers-fabricmanager", "cuda-drivers", "libnvidia-cfg1", "libnvidia-common", StemCompute, "libnvidia-decode",
	"libnvidia-encode", "libnvidia-extra", "libnvidia-fbc1", "libnvidia-gl", "libnvidia-nscq", "libnvsdm", StemModules,
	"nvidia-compute-utils", StemDKMS, "nvidia-driver", StemManager, "nvidia-headless-no-dkms", "nvidia-headless",
	"nvidia-imex",
	"nvidia-kernel-common", "nvidia-kernel-source", "nvidia-open", "nvidia-utils", "xserver-xorg-video-nvidia",
}

var driverName = regexp.MustCompile(`^(` + strings.Join(stems, "|") +
	`)(?:-([0-9]{3}))?(-server)?(-open)?(?:-([a-z0-9][a-z0-9.+~-]*))?$`)

// ParseDriverName takes the name of a package apart; false: it is none of the driver's.
func ParseDriverName(name string) (DriverName, bool) {
	m := driverName.FindStringSubmatch(name)
	if m == nil {
		return DriverName{}, false
	}
	n := DriverName{Stem: m[1], Branch: m[2], Server: m[3] != "", Open: m[4] != "", Kernel: m[5]}
	return n, (n.Stem == StemModules) == (n.Kernel != "")
}

// String is the name.
func (n DriverName) String() string {
	name := n.Stem
	if n.Branch != "" {
		name += "-" + n.Branch
	}
	if n.Server {
		name += "-server"
	}
	if n.Open {
		name += "-open"
	}
	if n.Kernel != "" {
		name += "-" + n.Kernel
	}
	return name
}

// ForRelease reports whether a package of modules is for one kernel, and for no flavour.
func (n DriverName) ForRelease() bool {
	return n.Kernel != "" && n.Kernel[0] >= '0' && n.Kernel[0] <= '9'
}
