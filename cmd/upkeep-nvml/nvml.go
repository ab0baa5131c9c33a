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

// A function that the library lacks kills the process when it is called, nvmlInit and nvmlErrorString no less than
// others, so all of them are looked up first. Where a function has several versions, go-nvml calls the newest that is
// there.
var required = [][]string{
	{"nvmlInit_v2", "nvmlInit"},
	{"nvmlShutdown"},
	{"nvmlErrorString"},
	{"nvmlSystemGetDriverVersion"},
	{"nvmlDeviceGetCount_v2", "nvmlDeviceGetCount"},
	{"nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex"},
	{"nvmlDeviceGetName"},
	{"nvmlDeviceGetUUID"},
}

// optional are functions without which a part of the answer is unknown.
var optional = [][]string{
	{symbolLibrary}, {symbolCUDA, "nvmlSystemGetCudaDriverVersion"}, {symbolSerial}, {symbolPCI},
	{symbolFabricV}, {symbolFabric}, {symbolFields}, {symbolECC}, {symbolErrors}, {symbolRemap},
	{symbolMIG}, {symbolMIGCount}, {symbolMIGHandle}, {symbolPersistence},
}

const (
	symbolLibrary     = "nvmlSystemGetNVMLVersion"
	symbolCUDA        = "nvmlSystemGetCudaDriverVersion_v2"
	symbolSerial      = "nvmlDeviceGetSerial"
	symbolPCI         = "nvmlDeviceGetPciInfo_v3"
	symbolFabricV     = "nvmlDeviceGetGpuFabricInfoV"
	symbolFabric      = "nvmlDeviceGetGpuFabricInfo"
	symbolFields      = "nvmlDeviceGetFieldValues"
	symbolECC         = "nvmlDeviceGetEccMode"
	symbolErrors      = "nvmlDeviceGetTotalEccErrors"
	symbolRemap       = "nvmlDeviceGetRemappedRows"
	symbolMIG         = "nvmlDeviceGetMigMode"
	symbolMIGCount    = "nvmlDeviceGetMaxMigDeviceCount"
	symbolMIGHandle   = "nvmlDeviceGetMigDeviceHandleByIndex"
	symbolPersistence = "nvmlDeviceGetPersistenceMode"
)

// observe asks NVML.
func observe(path string) facts.NVML {
	if path == "" {
		path = defaultLibrary
	}
	lacks, err := lookUp(path)
	var missing *missingError
	switch {
	case errors.As(err, &missing):
		return unknown(facts.NVMLSymbols, "the NVIDIA management library cannot be used: %v", err)
	case err != nil:
		return unknown(facts.NVMLAbsent, "the NVIDIA management library cannot be used: %v", err)
	}
	a := asker{library: nvml.New(nvml.WithLibraryPath(path)), lacks: lacks}
	a.fabric = a.fabricOf
	return a.ask()
}

// missingError is about functions that the library does not have.
type missingError struct {
	path  string
	names []string
}

func (e *missingError) Error() string { return e.path + " lacks " + strings.Join(e.names, ", ") }

// lookUp returns which optional functions the library lacks. The error is why it cannot be loaded, or which
// functions it lacks that nothing works without.
func lookUp(path string) (lacks []string, err error) {
	library := dl.New(path, dl.RTLD_LAZY|dl.RTLD_GLOBAL)
	if err := library.Open(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, library.Close()) }()
	missing := func(functions [][]string) (out []string) {
		for _, versions := range functions {
			if !slices.ContainsFunc(versions, func(name string) bool { return library.Lookup(name) == nil }) {
				out = append(out, versions[0])
			}
		}
		return out
	}
	if names := missing(required); len(names) > 0 {
		return nil, &missingError{path, names}
	}
	return missing(optional), nil
}

// asker puts the questions. It is apart from the library so that go-nvml's mocks can stand for one.
type asker struct {
	library nvml.Interface
	lacks   []string
	// fabric asks for the fabric; go-nvml's type for it cannot be mocked.
	fabric func(nvml.Device) (facts.GPUFabric, nvml.Return)
}

func (a asker) has(symbol string) bool { return !slices.Contains(a.lacks, symbol) }

func (a asker) ask() facts.NVML {
	if r := a.library.Init(); r != nvml.SUCCESS {
		return unknown(problem(r), "nvmlInit: %v", r)
	}
	defer a.library.Shutdown()
	driver, r := a.library.SystemGetDriverVersion()
	if r != nvml.SUCCESS {
		return unknown(problem(r), "nvmlSystemGetDriverVersion: %v", r)
	}
	count, r := a.library.DeviceGetCount()
	if r != nvml.SUCCESS {
		return unknown(problem(r), "nvmlDeviceGetCount: %v", r)
	}
	found := facts.NVML{Driver: driver, Lacks: a.lacks}
	if a.has(symbolLibrary) {
		if version, r := a.library.SystemGetNVMLVersion(); r == nvml.SUCCESS {
			found.Library = version
		}
	}
	if a.has(symbolCUDA) {
		if version, r := a.library.SystemGetCudaDriverVersion_v2(); r == nvml.SUCCESS {
			found.CUDA = release(version)
		}
	}
	for i := range count {
		found.GPUs = append(found.GPUs, a.gpu(i))
	}
	return found
}

// release writes a version of CUDA as it is called: 12080 is "12.8".
func release(version int) string { return fmt.Sprintf("%d.%d", version/1000, version%1000/10) }

// problem gives what has a name of its own its name.
func problem(r nvml.Return) string {
	switch r {
	case nvml.ERROR_LIBRARY_NOT_FOUND:
		return facts.NVMLAbsent
	case nvml.ERROR_DRIVER_NOT_LOADED:
		return facts.NVMLUnloaded
	case nvml.ERROR_LIB_RM_VERSION_MISMATCH:
		return facts.NVMLMismatch
	case nvml.ERROR_GPU_IS_LOST:
		return facts.NVMLLost
	case nvml.ERROR_RESET_REQUIRED:
		return facts.NVMLReset
	case nvml.ERROR_NOT_FOUND:
		return facts.NVMLNoDevice
	case nvml.ERROR_TIMEOUT:
		return facts.NVMLSilent
	case nvml.ERROR_FUNCTION_NOT_FOUND:
		return facts.NVMLSymbols
	}
	return ""
}
