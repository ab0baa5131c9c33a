package facts

// NVML is what NVIDIA's management library says. It talks to the loaded module, so it can fail where the
// devices are well.
type NVML struct {
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Kind is why it is unknown, where that has a name; the constants NVML...
	Kind string `json:"kind,omitempty" plain:"told"`
	// Driver is the driver's version, CUDA the highest version of CUDA that it supports: "12.8".
	Driver string `json:"driver,omitempty"`
	CUDA   string `json:"cuda,omitempty"`
	// Library is the library's own version: "12.570.124.06".
	Library string `json:"library,omitempty"`
	// GPUs are in NVML's order. A GPU that NVML has lost may be missing here and still be on the bus.
	GPUs []GPU `json:"gpus,omitempty"`
	// Lacks are the functions that the library does not have, so that the facts from them are unknown.
	Lacks []string `json:"lacks,omitempty"`
}

// What is wrong with NVML itself.
const (
	NVMLAbsent   = "absent"     // there is no library
	NVMLUnloaded = "unloaded"   // the driver is not loaded (NVML 9)
	NVMLMismatch = "mismatch"   // the library and the loaded module have different versions (NVML 18)
	NVMLLost     = "lost"       // a GPU has fallen off the bus (NVML 15)
	NVMLReset    = "reset"      // a GPU must be reset (NVML 16)
	NVMLSymbols  = "symbols"    // the library lacks a function that upkeep cannot do without
	NVMLSilent   = "silent"     // it did not answer in time
	NVMLDied     = "died"       // the process that asked it died
	NVMLNoDevice = "no devices" // it has no GPU (NVML 6)
)

// GPU is one GPU as NVML lists it.
type GPU struct {
	Index int `json:"index"`
	// Unknown: the GPU is there and does not answer; why. Kind names it like NVML.Kind.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	Kind    string `json:"kind,omitempty" plain:"told"`
	Name    string `json:"name,omitempty"`
	UUID    string `json:"uuid,omitempty"`
	// Serial is the board's serial number: it goes with the board into another slot. Consumer cards have none.
	Serial string `json:"serial,omitempty"`
	// PCI is its address in the form of PCIAddress, Device vendor:device: "10de:2330".
	PCI    string `json:"pci,omitempty"`
	Device string `json:"device,omitempty"`

	Fabric   GPUFabric   `json:"fabric,omitzero"`
	Recovery GPURecovery `json:"recovery,omitzero"`
	ECC      GPUECC      `json:"ecc,omitzero"`
	Remap    GPURemap    `json:"remap,omitzero"`
	MIG      GPUMIG      `json:"mig,omitzero"`
	// Persistence: the driver keeps the GPU initialised while nobody uses it; nil where it is unknown.
	Persistence *bool `json:"persistence,omitempty"`
}

// NotSupported is the reason of a part that this GPU, or this driver, does not have: normal, and no fault.
const NotSupported = "not supported"

// GPUFabric is the GPU's state in the fabric. It is latched when the GPU registers: "completed" can stand for
// weeks over a fabric manager that is dead. GPUs before Hopper have none (Unknown is NotSupported).
type GPUFabric struct {
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// State is "not supported", "not started", "in progress" or "completed".
	State string `json:"state,omitempty"`
	// Status is the NVML return of the registration: 0 is success. It says something only where State is "completed".
	Status int `json:"status,omitempty"`
	// Cluster is the fabric's UUID, Clique the id within it; 0 is normal on HGX.
	Cluster string `json:"cluster,omitempty"`
	Clique  uint32 `json:"clique,omitempty"`
	// Health holds the parts of the health mask that say something: "degraded bandwidth": true means that it is. Nil
	// where the driver says nothing.
	Health map[string]bool `json:"health,omitempty"`
}

// GPURecovery is what the driver itself asks for (NVML's field 230). It outranks every table.
type GPURecovery struct {
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Action is one of the constants Recovery...; an action with a number that upkeep does not know is "unknown (N)".
	Action string `json:"action,omitempty"`
}

// The recovery actions, in NVML's order from 0 on.
const (
	RecoveryNone       = "none"
	RecoveryReset      = "reset GPU"
	RecoveryReboot     = "reboot node"
	RecoveryDrainP2P   = "drain P2P"
	RecoveryDrainReset = "drain and reset"
	RecoveryIMEX       = "recover IMEX"
)

// GPUECC is the state of error correction.
type GPUECC struct {
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Enabled is now, Pending after the next reboot.
	Enabled bool `json:"enabled,omitempty"`
	Pending bool `json:"pending,omitempty"`
	// Uncorrected and Corrected count since the driver was loaded; the two Total over the GPU's life.
	Uncorrected      uint64 `json:"uncorrected,omitempty"`
	Corrected        uint64 `json:"corrected,omitempty"`
	UncorrectedTotal uint64 `json:"uncorrected_total,omitempty"`
	CorrectedTotal   uint64 `json:"corrected_total,omitempty"`
}

// GPURemap are the rows of memory that were replaced by spare ones.
type GPURemap struct {
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Correctable and Uncorrectable count remapped rows by cause.
	Correctable   int `json:"correctable,omitempty"`
	Uncorrectable int `json:"uncorrectable,omitempty"`
	// Pending: a remapping takes effect at the next reset. Failed: one has failed, and the board must be replaced.
	Pending bool `json:"pending,omitempty"`
	Failed  bool `json:"failed,omitempty"`
}

// GPUMIG is whether the GPU is divided into instances.
type GPUMIG struct {
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Enabled is now, Pending after the next reset.
	Enabled bool `json:"enabled,omitempty"`
	Pending bool `json:"pending,omitempty"`
	// Instances is how many compute instances there are now.
	Instances int `json:"instances,omitempty"`
}

// CUDA is what a program that computes sees: cuInit and cuDeviceGetCount of libcuda.so.1, in a process of its own.
type CUDA struct {
	// Unknown: it was not asked, or did not answer in time.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Absent: there is no libcuda.so.1.
	Absent bool `json:"absent,omitempty"`
	// Silent: cuInit did not return in time. Unknown says after how long.
	Silent bool `json:"silent,omitempty"`
	// Result is the CUresult of the call that failed, or 0; Call is its name, Meaning what the number stands for.
	Result  int    `json:"result,omitempty"`
	Call    string `json:"call,omitempty"`
	Meaning string `json:"meaning,omitempty"`
	// Devices is how many devices a program sees.
	Devices int `json:"devices,omitempty"`
	// Version is cuDriverGetVersion's: "12.8".
	Version string `json:"version,omitempty"`
}

// Results of CUDA that have a cause of their own.
const (
	CUDANoDevice       = 100 // no device can be seen
	CUDASystemNotReady = 802 // the fabric manager has not brought the fabric up
	CUDAMismatch       = 803 // libcuda and the loaded module have different versions
	CUDACompat         = 804 // forward compatibility is not supported on this device
	CUDAUnknown        = 999
)

// Product says what a device made of a product of two matrices of integers, whose result is known.
type Product struct {
	// Device is CUDA's index of it, PCI its address in the form of PCIAddress.
	Device int    `json:"device"`
	PCI    string `json:"pci,omitempty"`
	// Right: the result is there, and every number of it is right.
	Right bool `json:"right,omitempty"`
	// Failed says why there is no result, or what is wrong in it.
	Failed string `json:"failed,omitempty" plain:"said"`
}
