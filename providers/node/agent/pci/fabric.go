package pci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/nvidia/model"
)

// mellanox is the PCI vendor of ConnectX adapters. switchManagement is what the vital product data of those functions
// holds that reach the switches of an HGX Blackwell, as NVIDIA's own nvidia-fabricmanager-start.sh looks for it.
const (
	mellanox         = "15b3"
	switchManagement = "SW_MNG"
)

// vpdLimit is more than the vital product data of an adapter has. Reading it goes through the device's own slow
// register, so vpdTime bounds how long is waited for all of them.
const (
	vpdLimit = 8 << 10
	vpdTime  = 5 * time.Second
)

// blackwellModules are what the fabric manager of an HGX Blackwell needs to reach the switches.
func blackwellModules() []string { return []string{"mlx5_core", "mlx5_ib", "ib_umad"} }

// driven is where the loaded driver lists its NVSwitches.
const driven = "proc/driver/nvidia-nvswitch/devices"

// Fabric says whether this hardware needs a fabric manager, in this order: the switches of the loaded driver, the
// switches on the bus, the GPUs' ids, and last whether this is a guest.
func Fabric(ctx context.Context, files fs.FS, b Bus) facts.Fabric {
	f := facts.Fabric{OnBus: len(b.Devices.Switches)}
	f.Guest = guest(ctx, files)
	n, err := count(files, driven)
	f.Driven = n
	board := boards(b.Devices.GPUs)
	if board.hgx != "" {
		f.HGX = "HGX " + strings.ToUpper(board.hgx)
		f.Modules = map[string]bool{}
		for _, m := range blackwellModules() {
			f.Modules[m] = Loaded(files, m)
		}
		f.Links, f.LinksUnknown = links(ctx, files, b.adapters)
	}
	f.Manager, f.Why = need(f, board, b.Devices, err)
	return f
}

// board is what the GPUs' ids tell together.
type board struct {
	hgx     string // the model on an HGX Blackwell
	tray    string // the model in a compute tray
	sxm     int    // modules on other baseboards
	unknown int    // GPUs of a model that the table does not have
	newest  string // the newest interface of those modules
}

func boards(gpus []facts.PCIDevice) (b board) {
	for _, g := range gpus {
		m, ok := model.Of(strings.TrimPrefix(g.Device, model.Vendor+":"))
		switch {
		case !ok:
			b.unknown++
		case m.Board == model.HGX:
			b.hgx = m.Name
		case m.Board == model.Tray:
			b.tray = m.Name
		case m.SXM():
			b.sxm++
			b.newest = max(b.newest, m.Interface)
		}
	}
	return b
}

// linked is how many modules from Ampere on are linked to one another without a switch. Boards with more have one.
const linked = 4

// need decides. errDriven is why the driver's list of switches could not be read.
func need(f facts.Fabric, b board, d facts.NVIDIADevices, errDriven error) (facts.Need, string) {
	switch {
	case f.Driven > 0:
		return facts.Needed, fmt.Sprintf("the driver has %s", switches(f.Driven))
	case f.OnBus > 0:
		return facts.Needed, switches(f.OnBus) + " on the PCI bus"
	case b.hgx != "" && f.Guest == "":
		return facts.Needed, fmt.Sprintf("the GPUs are those of an %s", f.HGX)
	case b.hgx != "" && len(f.Links) > 0:
		return facts.Needed, fmt.Sprintf("this guest of %s has an %s with the way to its switches", f.Guest, f.HGX)
	case b.hgx != "" && f.LinksUnknown != "":
		return facts.NeedUnknown, fmt.Sprintf("a guest of %s on an %s, and its adapters cannot be read", f.Guest, f.HGX)
	case b.hgx != "":
		return facts.NotNeeded, fmt.Sprintf("the host of this guest of %s has the switches of the %s", f.Guest, f.HGX)
	case b.tray != "":
		return facts.NotNeeded, fmt.Sprintf("%s: the fabric manager runs on the rack's switch trays", strings.ToUpper(b.tray))
	case d.Unknown != "":
		return facts.NeedUnknown, "the PCI bus cannot be read to its end"
	case errDriven != nil:
		return facts.NeedUnknown, "the driver's list of NVSwitches cannot be read"
	case len(d.GPUs) == 0:
		return facts.NotNeeded, "there is no GPU on the PCI bus"
	case b.unknown > 0:
		return facts.NeedUnknown, fmt.Sprintf("upkeep does not know the id of %d of %d GPUs", b.unknown, len(d.GPUs))
	case b.sxm > 0 && f.Guest != "":
		return facts.NotNeeded, fmt.Sprintf("the host of this guest of %s has the NVSwitches", f.Guest)
	case b.sxm > linked && b.newest >= "SXM4":
		return facts.NeedUnknown, fmt.Sprintf("%d SXM GPUs have NVSwitches, and none is on the PCI bus", b.sxm)
	case b.sxm > 0:
		return facts.NotNeeded, "the SXM GPUs are linked without NVSwitches"
	}
	return facts.NotNeeded, "the GPUs are cards without NVSwitches"
}

func switches(n int) string {
	if n == 1 {
		return "1 NVSwitch"
	}
	return fmt.Sprintf("%d NVSwitches", n)
}

// links returns the functions whose vital product data has SW_MNG. It looks at the adapters on the bus, which
// needs no driver, and then at those that InfiniBand has: without its modules that class is empty, and says
// nothing.
func links(ctx context.Context, files fs.FS, adapters []string) (found []string, unknown string) {
	ctx, cancel := context.WithTimeout(ctx, vpdTime)
	defer cancel()
	places := map[string]string{}
	for _, a := range adapters {
		places[a] = path.Join(devices, a, "vpd")
	}
	const class = "sys/class/infiniband"
	entries, err := fs.ReadDir(files, class)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		unknown = reason(class, err)
	}
	for _, e := range entries {
		if target, err := fs.ReadLink(files, path.Join(class, e.Name(), "device")); err == nil {
			if a := path.Base(target); addressPattern.MatchString(a) && places[a] == "" {
				places[a] = path.Join(class, e.Name(), "device", "vpd")
			}
		}
	}
	type answer struct {
		address string
		link    bool
		err     error
	}
	answers := make(chan answer, len(places))
	for a, p := range places {
		go func() {
			data, err := read(ctx, files, p, vpdLimit)
			answers <- answer{a, bytes.Contains(data, []byte(switchManagement)), err}
		}()
	}
	var failed []string
	for range places {
		select {
		case got := <-answers:
			if got.link {
				found = append(found, got.address)
			}
			// A function without vital product data has no such file, and is no link.
			if got.err != nil && !errors.Is(got.err, fs.ErrNotExist) {
				failed = append(failed, got.err.Error())
			}
		case <-ctx.Done():
			return compact(found), fmt.Sprintf("the adapters did not answer within %s", vpdTime)
		}
	}
	if len(failed) > 0 {
		slices.Sort(failed)
		unknown = failed[0]
	}
	return compact(found), unknown
}

// guest returns the name of the hypervisor that this machine is a guest of; empty on bare metal.
func guest(ctx context.Context, files fs.FS) string {
	line := func(p string) string {
		data, err := read(ctx, files, p, longest)
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(data))
	}
	if kind := line("sys/hypervisor/type"); kind != "" {
		return kind
	}
	data, err := read(ctx, files, "proc/cpuinfo", cpuinfoLimit)
	if err != nil || !hypervised(data) {
		return ""
	}
	if product := line("sys/devices/virtual/dmi/id/product_name"); product != "" {
		return product
	}
	return "a hypervisor"
}

// cpuinfoLimit holds the first processors; all of them have the same flags.
const cpuinfoLimit = 64 << 10

// hypervised looks for the flag of the processor that says so (CPUID leaf 1, ECX bit 31).
func hypervised(cpuinfo []byte) bool {
	for line := range bytes.Lines(cpuinfo) {
		name, flags, _ := bytes.Cut(line, []byte(":"))
		if string(bytes.TrimSpace(name)) == "flags" {
			return slices.ContainsFunc(bytes.Fields(flags), func(f []byte) bool { return string(f) == "hypervisor" })
		}
	}
	return false
}
