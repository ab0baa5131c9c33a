// Package pci finds NVIDIA's GPUs and NVSwitches on the PCI bus, and says whether the hardware needs a fabric
// manager.
//
// It reads sysfs and starts no program, so it needs no driver and answers the same while the driver is broken.
// It reads no log and no package: those never decide what the hardware is.
package pci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"upkeep/providers/facts"
	"upkeep/providers/nvidia/model"
)

// Places of sysfs, below the root.
const (
	buses   = "sys/bus"
	devices = "sys/bus/pci/devices"
	modules = "sys/module"
)

// Classes of the PCI Code and ID Assignment Specification: a display controller is 03xxxx. An NVSwitch is a bridge of
// another kind, 068000, as NVIDIA's driver matches it.
const (
	display     = "03"
	switchClass = "068000"
)

// longest is more than an attribute of a device has; mostDevices more functions than a machine of 16 GPUs has.
const (
	longest     = 4 << 10
	mostDevices = 8192
)

var addressPattern = regexp.MustCompile(`^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$`)

// Bus is what is on the PCI bus, as far as GPUs are concerned.
type Bus struct {
	Devices facts.NVIDIADevices
	// adapters are the addresses of Mellanox's functions, through one of which an HGX Blackwell reaches its switches.
	adapters []string
}

// Look reads the bus of a node: files is its file system, as disk.Files returns it. A node without a PCI bus has no
// NVIDIA device; one whose sysfs is not mounted may have some.
func Look(files fs.FS) Bus {
	var b Bus
	entries, err := fs.ReadDir(files, devices)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := fs.Stat(files, buses); err != nil {
			b.Devices.Unknown = reason(buses, err)
		}
		return b
	}
	if err != nil {
		b.Devices.Unknown = reason(devices, err)
		return b
	}
	if len(entries) > mostDevices {
		b.Devices.Unknown = fmt.Sprintf("/%s has more than %d entries", devices, mostDevices)
		return b
	}
	for _, entry := range entries {
		address := entry.Name()
		if !addressPattern.MatchString(address) {
			continue
		}
		vendor, err := attribute(files, address, "vendor")
		switch {
		case errors.Is(err, fs.ErrNotExist):
			// The device was removed at the same time.
		case err != nil:
			// What cannot be read may be a GPU.
			b.Devices.Unknown = err.Error()
		case vendor == model.Vendor:
			b.add(files, address)
		case vendor == mellanox:
			b.adapters = append(b.adapters, address)
		}
	}
	return b
}

// add adds a function of NVIDIA's: a GPU or a switch. The audio, USB and serial functions of cards are neither.
func (b *Bus) add(files fs.FS, address string) {
	d := facts.PCIDevice{Address: address}
	var errs []error
	get := func(name string) string {
		text, err := attribute(files, address, name)
		if err != nil {
			errs = append(errs, err)
		}
		return text
	}
	d.Class = get("class")
	if d.Class == "" && len(errs) > 0 {
		// Whether this is a GPU is not known.
		b.Devices.Unknown = errs[0].Error()
		return
	}
	isGPU, isSwitch := strings.HasPrefix(d.Class, display), d.Class == switchClass
	if !isGPU && !isSwitch {
		return
	}
	device := get("device")
	d.Device = model.Vendor + ":" + device
	if v, s := get("subsystem_vendor"), get("subsystem_device"); v != "" && s != "" {
		d.Subsystem = v + ":" + s
	}
	if target, err := fs.ReadLink(files, path.Join(devices, address, "driver")); err == nil {
		d.Driver = path.Base(target)
	}
	if len(errs) > 0 {
		d.Unknown = errors.Join(errs...).Error()
	}
	if isSwitch {
		b.Devices.Switches = append(b.Devices.Switches, d)
		return
	}
	if m, ok := model.Of(device); ok {
		d.Model, d.Interface, d.Memory = m.Name, m.Interface, m.Memory
	}
	b.Devices.GPUs = append(b.Devices.GPUs, d)
}

var hexadecimal = regexp.MustCompile(`^0x([0-9a-f]{4,6})$`)

// attribute returns a number of a device without its "0x".
func attribute(files fs.FS, address, name string) (string, error) {
	p := path.Join(devices, address, name)
	data, err := read(context.Background(), files, p, longest)
	if err != nil {
		return "", err
	}
	m := hexadecimal.FindSubmatch(bytes.TrimSpace(data))
	if m == nil {
		return "", fmt.Errorf("/%s holds no number", p)
	}
	return string(m[1]), nil
}

// read returns a file of sysfs or procfs. Errors name it.
func read(ctx context.Context, files fs.FS, p string, limit int64) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("/%s: %w", p, err)
	}
	f, err := files.Open(p)
	if err != nil {
		return nil, fmt.Errorf("/%s: %w", p, bare(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return nil, fmt.Errorf("/%s: %w", p, bare(err))
	}
	return data, nil
}

func reason(p string, err error) string { return fmt.Sprintf("/%s: %v", p, bare(err)) }

func bare(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// Loaded reports whether the kernel has a module. A module that is built in has its directory, too.
func Loaded(files fs.FS, name string) bool {
	_, err := fs.Stat(files, path.Join(modules, strings.ReplaceAll(name, "-", "_")))
	return err == nil
}

// count returns how many entries a directory has; one that is not there has none.
func count(files fs.FS, p string) (int, error) {
	entries, err := fs.ReadDir(files, p)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, errors.New(reason(p, err))
	}
	return len(entries), nil
}

func compact(s []string) []string {
	slices.Sort(s)
	return slices.Compact(s)
}
