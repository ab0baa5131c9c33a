package facts

import "time"

// Boot is what a node runs now and would run after a reboot.
type Boot struct {
	// Unknown: nobody asked.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Kernels are the kernels that are installed, by version, the newest first; KernelsUnknown why there are none.
	Kernels        []InstalledKernel `json:"kernels,omitempty"`
	KernelsUnknown string            `json:"kernels_unknown,omitempty" plain:"said"`
	// Next is the release that boots next; NextUnknown why that cannot be told.
	Next        string `json:"next,omitempty"`
	NextUnknown string `json:"next_unknown,omitempty" plain:"said"`
	Reboot      Reboot `json:"reboot,omitzero"`
	// SecureBoot is "enabled", "disabled" or "unsupported" (the firmware is no UEFI); SecureBootUnknown why that is
	// unknown.
	SecureBoot        string `json:"secure_boot,omitempty"`
	SecureBootUnknown string `json:"secure_boot_unknown,omitempty" plain:"said"`
}

// Values of Boot.SecureBoot.
const (
	SecureBootEnabled     = "enabled"
	SecureBootDisabled    = "disabled"
	SecureBootUnsupported = "unsupported"
)

// InstalledKernel is one kernel in /boot.
type InstalledKernel struct {
	Release string `json:"release"`
	// Since is when its file was written.
	Since time.Time `json:"since,omitzero"`
}

// Reboot is whether packages ask for a reboot: /run/reboot-required.
type Reboot struct {
	Unknown  string `json:"unknown,omitempty" plain:"said"`
	Required bool   `json:"required,omitempty"`
	// Packages are those that asked, Since is when the first of them did.
	Packages []string  `json:"packages,omitempty"`
	Since    time.Time `json:"since,omitzero"`
}
