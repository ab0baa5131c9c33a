package pci_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/gpunode"
	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/pci"
)

func look(t *testing.T, m gpunode.Machine, change func(root string)) (pci.Bus, facts.Fabric) {
	t.Helper()
	root := t.TempDir()
	if err := gpunode.Make(root, m); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(root)
	}
	d, err := disk.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	bus := pci.Look(d.Files())
	return bus, pci.Fabric(t.Context(), d.Files(), bus)
}

func TestDevices(t *testing.T) {
	bus, _ := look(t, gpunode.Machine{GPUs: []string{"2330", "9999"}, Switches: []string{"22a3"}, Driver: "570.124.06"}, nil)
	want := facts.NVIDIADevices{
		GPUs: []facts.PCIDevice{
			{Address: "0000:15:00.0", Device: "10de:2330", Subsystem: "10de:16c1", Class: "030200", Driver: "nvidia",
				Model: "h100", Interface: "SXM5", Memory: "80Gi"},
			{Address: "0000:1a:00.0", Device: "10de:9999", Subsystem: "10de:16c1", Class: "030200", Driver: "nvidia"},
		},
		Switches: []facts.PCIDevice{{Address: "0000:24:00.0", Device: "10de:22a3", Subsystem: "10de:16c1", Class: "068000"}},
	}
	if diff := cmp.Diff(want, bus.Devices); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	names, unknown := bus.Devices.Models()
	if diff := cmp.Diff([]string{"h100"}, names); diff != "" || unknown != 1 {
		t.Errorf("%d unknown, %s", unknown, diff)
	}
}

// What cannot be read may be a GPU: it is never passed over.
func TestUnreadableDevice(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"damaged vendor", "vendor", "/sys/bus/pci/devices/0000:10:00.0/vendor holds no number"},
		{"damaged class of a GPU", "class", "/sys/bus/pci/devices/0000:15:00.0/class holds no number"},
	} {
		t.Run(c.name, func(t *testing.T) {
			address := "0000:15:00.0"
			if c.file == "vendor" {
				address = "0000:10:00.0"
			}
			bus, fabric := look(t, gpunode.Machine{GPUs: []string{"2331"}}, func(root string) {
				p := filepath.Join(root, "sys/devices/pci0000:00", address, c.file)
				if err := os.WriteFile(p, []byte("\xff\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			})
			if bus.Devices.Unknown != c.want || fabric.Manager != facts.NeedUnknown {
				t.Errorf("%q, %+v", bus.Devices.Unknown, fabric)
			}
		})
	}
	bus, fabric := look(t, gpunode.Machine{GPUs: []string{"2331"}}, func(root string) {
		must(t, os.Remove(filepath.Join(root, "sys/devices/pci0000:00/0000:15:00.0/subsystem_device")))
	})
	if len(bus.Devices.GPUs) != 1 || bus.Devices.GPUs[0].Model != "h100" || bus.Devices.GPUs[0].Unknown == "" || fabric.Manager != facts.NotNeeded {
		t.Errorf("%+v, %+v", bus.Devices, fabric)
	}
}

func TestNoBus(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"no PCI", "sys/bus/usb/uevent", ""}, {"sysfs is not mounted", "sys/x", "/sys/bus: no such file or directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree := &gpunode.Tree{Root: t.TempDir()}
			tree.Write(c.file, "")
			d, err := disk.Open(tree.Root)
			must(t, err)
			defer d.Close()
			if got := pci.Look(d.Files()).Devices.Unknown; got != c.want {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestFabric(t *testing.T) {
	times := func(n int, device string) []string { return slices.Repeat([]string{device}, n) }
	loaded := map[string]bool{"mlx5_core": true, "mlx5_ib": true, "ib_umad": true}
	none := map[string]bool{"mlx5_core": false, "mlx5_ib": false, "ib_umad": false}
	for _, c := range []struct {
		name    string
		machine gpunode.Machine
		want    facts.Fabric
	}{
		{"the driver has switches", gpunode.HGXH100("570.124.06"),
			facts.Fabric{Manager: facts.Needed, Why: "the driver has 4 NVSwitches", Driven: 4, OnBus: 4}},
		{"A100 without a driver", gpunode.Machine{GPUs: times(8, "20b2"), Switches: times(6, "1af1")},
			facts.Fabric{Manager: facts.Needed, Why: "6 NVSwitches on the PCI bus", OnBus: 6}},
		{"one switch is left", gpunode.Machine{GPUs: times(8, "2330"), Switches: times(1, "22a3")},
			facts.Fabric{Manager: facts.Needed, Why: "1 NVSwitch on the PCI bus", OnBus: 1}},
		{"no switch is left", gpunode.Machine{GPUs: times(8, "2335")},
			facts.Fabric{Manager: facts.NeedUnknown, Why: "8 SXM GPUs have NVSwitches, and none is on the PCI bus"}},
		{"HGX B200", gpunode.Machine{GPUs: times(8, "2901"), Adapters: []string{"x", "PN SW_MNG RW"}, Modules: []string{"mlx5_core", "mlx5_ib", "ib_umad"}},
			facts.Fabric{Manager: facts.Needed, Why: "the GPUs are those of an HGX B200", HGX: "HGX B200", Links: []string{"0000:47:00.0"}, Modules: loaded}},
		// The first trap: without the InfiniBand modules the class is empty, and NVIDIA's own script then says that no
		// fabric manager is needed on a machine whose 8 GPUs are all dead. The GPUs' ids decide.
		{"HGX B200 without its modules", gpunode.Machine{GPUs: times(8, "2901"), Adapters: []string{"PN SW_MNG RW"}},
			facts.Fabric{Manager: facts.Needed, Why: "the GPUs are those of an HGX B200", HGX: "HGX B200", Links: []string{"0000:42:00.0"}, Modules: none}},
		{"HGX B300 without its modules and without product data", gpunode.Machine{GPUs: times(8, "3182")},
			facts.Fabric{Manager: facts.Needed, Why: "the GPUs are those of an HGX B300", HGX: "HGX B300", Modules: none}},
		// The second trap: what looks like an HGX and needs no fabric manager of its own.
		{"GB200 compute tray", gpunode.Machine{GPUs: times(4, "2941")},
			facts.Fabric{Manager: facts.NotNeeded, Why: "GB200: the fabric manager runs on the rack's switch trays"}},
		{"guest with SXM GPUs and no switch", gpunode.Machine{GPUs: times(8, "2330"), Guest: "KVM"},
			facts.Fabric{Manager: facts.NotNeeded, Why: "the host of this guest of KVM has the NVSwitches", Guest: "KVM"}},
		{"guest with all switches", gpunode.Machine{GPUs: times(8, "2330"), Switches: times(4, "22a3"), Guest: "KVM"},
			facts.Fabric{Manager: facts.Needed, Why: "4 NVSwitches on the PCI bus", OnBus: 4, Guest: "KVM"}},
		{"guest of an HGX B200 with its adapters", gpunode.Machine{GPUs: times(8, "2901"), Adapters: []string{"SW_MNG"}, Guest: "KVM"},
			facts.Fabric{Manager: facts.Needed, Why: "this guest of KVM has an HGX B200 with the way to its switches", HGX: "HGX B200",
				Links: []string{"0000:42:00.0"}, Modules: none, Guest: "KVM"}},
		{"guest of an HGX B200 without", gpunode.Machine{GPUs: times(8, "2901"), Guest: "KVM"},
			facts.Fabric{Manager: facts.NotNeeded, Why: "the host of this guest of KVM has the switches of the HGX B200", HGX: "HGX B200", Modules: none, Guest: "KVM"}},
		{"four linked A100", gpunode.Machine{GPUs: times(4, "20b0")},
			facts.Fabric{Manager: facts.NotNeeded, Why: "the SXM GPUs are linked without NVSwitches"}},
		{"eight V100", gpunode.Machine{GPUs: times(8, "1db1")},
			facts.Fabric{Manager: facts.NotNeeded, Why: "the SXM GPUs are linked without NVSwitches"}},
		{"cards", gpunode.Machine{GPUs: []string{"2331", "26b9"}},
			facts.Fabric{Manager: facts.NotNeeded, Why: "the GPUs are cards without NVSwitches"}},
		{"a model that nobody told upkeep", gpunode.Machine{GPUs: []string{"2331", "9999"}},
			facts.Fabric{Manager: facts.NeedUnknown, Why: "upkeep does not know the id of 1 of 2 GPUs"}},
		{"no GPU", gpunode.Machine{}, facts.Fabric{Manager: facts.NotNeeded, Why: "there is no GPU on the PCI bus"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, got := look(t, c.machine, nil)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// The way to the switches is found through InfiniBand, too, where the bus does not show the adapter's own data.
func TestLinksThroughInfiniBand(t *testing.T) {
	_, got := look(t, gpunode.Machine{GPUs: []string{"2901"}}, func(root string) {
		tree := &gpunode.Tree{Root: root}
		tree.Write("sys/devices/pci0000:00/0000:99:00.0/vpd", "PN SW_MNG")
		tree.Link("sys/class/infiniband/mlx5_0", "../../devices/pci0000:00/0000:99:00.0/infiniband/mlx5_0")
		tree.Link("sys/devices/pci0000:00/0000:99:00.0/infiniband/mlx5_0/device", "../../../0000:99:00.0")
		must(t, tree.Err)
	})
	if diff := cmp.Diff([]string{"0000:99:00.0"}, got.Links); diff != "" || got.LinksUnknown != "" {
		t.Errorf("%s%s", got.LinksUnknown, diff)
	}
	_, got = look(t, gpunode.Machine{GPUs: []string{"2901"}, Guest: "KVM", Adapters: []string{"x"}}, func(root string) {
		p := filepath.Join(root, "sys/devices/pci0000:00/0000:1f:00.0/vpd")
		must(t, os.Remove(p))
		must(t, os.Mkdir(p, 0o755))
	})
	if got.Manager != facts.NeedUnknown || got.LinksUnknown != "/sys/bus/pci/devices/0000:1f:00.0/vpd: is a directory" {
		t.Errorf("%+v", got)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
