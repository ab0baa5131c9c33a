//go:build cgo && linux

package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/NVIDIA/go-nvml/pkg/dl"
	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"upkeep/providers/facts"
)

// defaultLibrary is the name that the driver's packages install (go-nvml loads the same).
const defaultLibrary = "libnvidia-ml.so.1"

// observe asks NVML. A function that the library lacks kills the process when it is called, nvmlInit and nvmlErrorString
// no less than others, so all of them are looked up first.
func observe(path string) facts.NVML {
	if path == "" {
		path = defaultLibrary
	}
	if err := lookUp(path); err != nil {
		return unknown("the NVIDIA management library cannot be used: %v", err)
	}
	library := nvml.New(nvml.WithLibraryPath(path))
	if r := library.Init(); r != nvml.SUCCESS {
		return unknown("nvmlInit: %v", r)
	}
	defer library.Shutdown()

	driver, r := library.SystemGetDriverVersion()
	if r != nvml.SUCCESS {
		return unknown("nvmlSystemGetDriverVersion: %v", r)
	}
	count, r := library.DeviceGetCount()
	if r != nvml.SUCCESS {
		return unknown("nvmlDeviceGetCount: %v", r)
	}
	found := facts.NVML{Driver: driver}
	for i := range count {
		device, r := library.DeviceGetHandleByIndex(i)
		if r != nvml.SUCCESS {
			return unknown("GPU %d: nvmlDeviceGetHandleByIndex: %v", i, r)
		}
		name, r := device.GetName()
		if r != nvml.SUCCESS {
			return unknown("GPU %d: nvmlDeviceGetName: %v", i, r)
		}
		uuid, r := device.GetUUID()
		if r != nvml.SUCCESS {
			return unknown("GPU %d: nvmlDeviceGetUUID: %v", i, r)
		}
		found.GPUs = append(found.GPUs, facts.GPU{Index: i, Name: name, UUID: uuid})
	}
	return found
}

// lookUp returns why the library cannot be loaded, or which functions it lacks. Where a function has two versions,
// go-nvml calls the newer one if it is there.
func lookUp(path string) (err error) {
	library := dl.New(path, dl.RTLD_LAZY|dl.RTLD_GLOBAL)
	if err := library.Open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, library.Close()) }()
	var missing []string
	for _, versions := range [][]string{
		{"nvmlInit_v2", "nvmlInit"},
		{"nvmlShutdown"},
		{"nvmlErrorString"},
		{"nvmlSystemGetDriverVersion"},
		{"nvmlDeviceGetCount_v2", "nvmlDeviceGetCount"},
		{"nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex"},
		{"nvmlDeviceGetName"},
		{"nvmlDeviceGetUUID"},
	} {
		if !slices.ContainsFunc(versions, func(name string) bool { return library.Lookup(name) == nil }) {
			missing = append(missing, versions[0])
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s lacks %s", path, strings.Join(missing, ", "))
	}
	return nil
}
