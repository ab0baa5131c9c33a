package facts

// NVIDIA is what a node is as a machine with NVIDIA GPUs, before anybody says what to do with it. Each part
// says itself why it is unknown; a part whose Unknown is empty was looked at.
type NVIDIA struct {
	// Unknown: nobody asked, or nothing at all could be looked at.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Absent: there is no NVIDIA device on the PCI bus, no module nvidia in the kernel, and no nvidia-smi. Nothing else
	// is set then: every other part is empty, and means nothing.
	Absent bool `json:"absent,omitempty"`

	// Devices are those on the PCI bus. They need no driver, so that they say what the node has.
	Devices NVIDIADevices `json:"devices,omitzero"`
	// Fabric says whether the hardware needs a fabric manager.
	Fabric Fabric `json:"fabric,omitzero"`
	// Module is the driver's kernel module that is loaded.
	Module LoadedModule `json:"module,omitzero"`
	// OnDisk are the modules on disk: of the running kernel, and of the one that boots next (Node.Boot) where that is
	// another one and known. See NVIDIA.ModuleOf.
	OnDisk []ModuleFile `json:"on_disk,omitempty"`
	// Libraries are the driver's libraries in user space.
	Libraries DriverLibraries `json:"libraries,omitzero"`
	// NVML is what the management library says, CUDA what a program that computes sees.
	NVML NVML `json:"nvml,omitzero"`
	CUDA CUDA `json:"cuda,omitzero"`
	// Products are what each device of CUDA computed, where that was asked and CUDA works.
	Products []Product `json:"products,omitempty"`
	// Packages are those of the driver, and what apt would do with them.
	Packages DriverPackages `json:"packages,omitzero"`
	// FabricManager is nvidia-fabricmanager.service, Persistence nvidia-persistenced.service.
	FabricManager DriverService `json:"fabric_manager,omitzero"`
	Persistence   DriverService `json:"persistence,omitzero"`
	// CDI are the files that hand GPUs to containers by name, Runtime the container runtime's handlers.
	CDI     CDI     `json:"cdi,omitzero"`
	Runtime Runtime `json:"runtime,omitzero"`
	// Maintainers are the others that change this node, as far as the node itself shows them.
	Maintainers Maintainers `json:"maintainers,omitzero"`
}

// Driver returns the version of the driver that runs: of the loaded module, else what NVML says; empty where
// neither is known.
func (n NVIDIA) Driver() string {
	if n.Module.Version != "" {
		return n.Module.Version
	}
	return n.NVML.Driver
}

// ModuleOf returns what is known of the module on disk for a kernel's release. One that was not looked at is unknown.
func (n NVIDIA) ModuleOf(kernel string) ModuleFile {
	for _, m := range n.OnDisk {
		if m.Kernel == kernel {
			return m
		}
	}
	return ModuleFile{Kernel: kernel, Unknown: "not observed"}
}

// NVIDIADevices are the PCI functions of NVIDIA (vendor 10de), from /sys/bus/pci/devices.
type NVIDIADevices struct {
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// GPUs are display controllers (class 03), Switches NVSwitches (class 068000), both by PCI address.
	GPUs     []PCIDevice `json:"gpus,omitempty"`
	Switches []PCIDevice `json:"switches,omitempty"`
}

// PCIDevice is one function of a PCI device.
type PCIDevice struct {
	// Address is domain:bus:device.function in small letters: "0000:3b:00.0". NVML and the kernel log name the device
	// in other forms; see PCIAddress.
	Address string `json:"address"`
	// Device is vendor:device, Subsystem the same of the board, in small letters: "10de:2330".
	Device    string `json:"device,omitempty"`
	Subsystem string `json:"subsystem,omitempty"`
	// Class is the class code of six digits, without "0x": "030200".
	Class string `json:"class,omitempty"`
	// Driver is the kernel driver that is bound: "nvidia", "vfio-pci", "nouveau"; empty where none is.
	Driver string `json:"driver,omitempty"`
	// Model, Interface and Memory are what provider-configs calls the device: "h100", "SXM5", "80Gi". Model is empty for
	// one that upkeep's table does not have: an unknown model, not none.
	Model     string `json:"model,omitempty"`
	Interface string `json:"interface,omitempty"`
	Memory    string `json:"memory,omitempty"`
	// Unknown: the function is there and something of it could not be read; why.
	Unknown string `json:"unknown,omitempty" plain:"said"`
}

// Models returns the names of the models of all GPUs, each once, sorted, and how many GPUs have a model that
// upkeep does not know.
func (d NVIDIADevices) Models() (names []string, unknown int) {
	for _, g := range d.GPUs {
		switch {
		case g.Model == "":
			unknown++
		default:
			names = append(names, g.Model)
		}
	}
	return sorted(names), unknown
}

// Need says whether something is needed.
type Need string

// The needs. An empty one is unknown, too: nobody looked.
const (
	Needed      Need = "needed"
	NotNeeded   Need = "not needed"
	NeedUnknown Need = "unknown"
)

// Fabric says whether a fabric manager must run on this node. Hardware decides it, in the order of the fields
// below, and never a log line, an installed package or the fabric state that NVML reports.
type Fabric struct {
	// Manager is the answer, Why the reason in words: "4 NVSwitches on the PCI bus".
	Manager Need   `json:"manager,omitempty"`
	Why     string `json:"why,omitempty" plain:"said"`
	// Driven are the NVSwitches that the loaded driver has, /proc/driver/nvidia-nvswitch/devices.
	Driven int `json:"driven,omitempty"`
	// OnBus are the NVSwitches on the PCI bus. They need no driver.
	OnBus int `json:"on_bus,omitempty"`
	// HGX is the Blackwell baseboard that the GPUs' ids tell: "HGX B200". Its switches are no PCI functions of the host.
	HGX string `json:"hgx,omitempty"`
	// Links are the functions of ConnectX adapters, by PCI address, whose vital product data says SW_MNG: the way to the
	// switches of an HGX Blackwell.
	Links []string `json:"links,omitempty"`
	// LinksUnknown: the vital product data could not be read; why. The need can be known all the same.
	LinksUnknown string `json:"links_unknown,omitempty" plain:"said"`
	// Modules are those that an HGX Blackwell needs before its fabric manager can start, with whether each is loaded:
	// mlx5_core, mlx5_ib, ib_umad. Nil where the node is none.
	Modules map[string]bool `json:"modules,omitempty"`
	// Guest is the hypervisor's name where the node is a virtual machine: the host has the fabric manager of switches
	// that the guest does not see.
	Guest string `json:"guest,omitempty"`
}

// LoadedModule is the kernel module nvidia that is loaded.
type LoadedModule struct {
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Loaded: the kernel has it. It may be loaded and have no GPU.
	Loaded bool `json:"loaded,omitempty"`
	// Version has all its dotted parts: "570.124.06". Open: it is the open kernel module.
	Version string `json:"version,omitempty"`
	Open    bool   `json:"open,omitempty"`
	// DRM: nvidia_drm is loaded; DRMAtBoot: a file of modules-load.d names it. operator-inventory lists cards
	// only with it.
	DRM       bool `json:"drm,omitempty"`
	DRMAtBoot bool `json:"drm_at_boot,omitempty"`
}

// ModuleFile is the module nvidia on disk for one kernel: what the kernel gets when it loads it the next time.
type ModuleFile struct {
	Kernel string `json:"kernel"`
	// Unknown: it could not be read; why. Missing: the kernel has no such module on disk, so that the build of DKMS
	// failed, or a package was left behind.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	Missing bool   `json:"missing,omitempty"`
	// Path is the first of the places that depmod prefers (updates before kernel); Others are further ones.
	Path   string   `json:"path,omitempty"`
	Others []string `json:"others,omitempty"`
	// Version and License are those of .modinfo. The open module's license is "Dual MIT/GPL".
	Version string `json:"version,omitempty"`
	License string `json:"license,omitempty"`
	// Signed: the file ends with a signature, which Secure Boot demands. Whose it is is not looked at.
	Signed bool `json:"signed,omitempty"`
}

// DriverLibraries are the driver's libraries in user space, by path.
type DriverLibraries struct {
	Unknown string          `json:"unknown,omitempty" plain:"said"`
	Files   []DriverLibrary `json:"files,omitempty"`
}

// DriverLibrary is one library with its version in its name: libcuda.so.570.124.06.
type DriverLibrary struct {
	Name    string `json:"name"` // "libcuda.so", without a version
	Path    string `json:"path"`
	Version string `json:"version"`
	// Used: the name that programs load (libcuda.so.1, libnvidia-ml.so.1) leads to this file. A file of another version
	// that nothing leads to is a leftover.
	Used bool `json:"used,omitempty"`
}

// Version returns the version of a library that programs load, "libcuda.so"; empty where there is none.
func (l DriverLibraries) Version(name string) string {
	for _, f := range l.Files {
		if f.Name == name && f.Used {
			return f.Version
		}
	}
	return ""
}

// DriverService is a service of the driver.
type DriverService struct {
	// Unit is what systemd says; its own Unknown says why not.
	Unit Unit `json:"unit"`
	// Version is what the program on disk says of itself, "570.124.06"; it is empty where the program is not installed.
	Version string `json:"version,omitempty"`
	// VersionUnknown: the program is there and did not say; why.
	VersionUnknown string `json:"version_unknown,omitempty" plain:"said"`
}

// Maintainers are programs that change a node without upkeep.
type Maintainers struct {
	Unknown string       `json:"unknown,omitempty" plain:"said"`
	Found   []Maintainer `json:"found,omitempty"`
}

// Maintainer is one of them.
type Maintainer struct {
	// Name is one of the constants Maintainer..., Evidence the path or unit that shows it.
	Name     string `json:"name"`
	Evidence string `json:"evidence"`
}

// The maintainers that a node itself can show. Those that only the cluster shows (kured's lock, labels, taints)
// are not among them.
const (
	MaintainerOperator   = "NVIDIA GPU Operator" // it runs the driver in a container: the host must have none
	MaintainerUnattended = "unattended-upgrades"
	MaintainerRestarts   = "needrestart"
	MaintainerDKMS       = "DKMS" // it builds the module for each new kernel
	MaintainerPuppet     = "Puppet"
	MaintainerChef       = "Chef"
	MaintainerSalt       = "Salt"
	MaintainerAnsible    = "ansible-pull"
	MaintainerLandscape  = "Landscape"
	MaintainerSnap       = "snapd"
	MaintainerKured      = "kured" // a pod of it ran here; its lock is the cluster's
)
