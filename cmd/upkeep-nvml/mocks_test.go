//go:build nvmlmocks && cgo && linux

package main

import (
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxa100"
	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
)

// device is a mock of one GPU that has what the models have in common.
func device(name string, id uint32) *mock.Device {
	return &mock.Device{
		GetNameFunc:   func() (string, nvml.Return) { return name, nvml.SUCCESS },
		GetUUIDFunc:   func() (string, nvml.Return) { return "GPU-1", nvml.SUCCESS },
		GetSerialFunc: func() (string, nvml.Return) { return "165002300001", nvml.SUCCESS },
		GetPciInfoFunc: func() (nvml.PciInfo, nvml.Return) {
			p := nvml.PciInfo{PciDeviceId: id<<16 | 0x10de}
			for i, c := range "00000000:3B:00.0" {
				p.BusId[i] = int8(c)
			}
			return p, nvml.SUCCESS
		},
		GetFieldValuesFunc: func(v []nvml.FieldValue) nvml.Return { return nvml.SUCCESS },
		GetEccModeFunc: func() (nvml.EnableState, nvml.EnableState, nvml.Return) {
			return nvml.FEATURE_ENABLED, nvml.FEATURE_ENABLED, nvml.SUCCESS
		},
		GetTotalEccErrorsFunc: func(nvml.MemoryErrorType, nvml.EccCounterType) (uint64, nvml.Return) { return 0, nvml.SUCCESS },
		GetRemappedRowsFunc:   func() (int, int, bool, bool, nvml.Return) { return 0, 0, false, false, nvml.SUCCESS },
		GetMigModeFunc: func() (int, int, nvml.Return) {
			return nvml.DEVICE_MIG_DISABLE, nvml.DEVICE_MIG_DISABLE, nvml.SUCCESS
		},
		GetPersistenceModeFunc: func() (nvml.EnableState, nvml.Return) { return nvml.FEATURE_ENABLED, nvml.SUCCESS },
	}
}

func library(devices ...*mock.Device) *mock.Interface {
	return &mock.Interface{
		InitFunc:                          func() nvml.Return { return nvml.SUCCESS },
		ShutdownFunc:                      func() nvml.Return { return nvml.SUCCESS },
		SystemGetDriverVersionFunc:        func() (string, nvml.Return) { return "580.95.05", nvml.SUCCESS },
		SystemGetNVMLVersionFunc:          func() (string, nvml.Return) { return "13.580.95.05", nvml.SUCCESS },
		SystemGetCudaDriverVersion_v2Func: func() (int, nvml.Return) { return 13000, nvml.SUCCESS },
		DeviceGetCountFunc:                func() (int, nvml.Return) { return len(devices), nvml.SUCCESS },
		DeviceGetHandleByIndexFunc: func(i int) (nvml.Device, nvml.Return) {
			return devices[i], nvml.SUCCESS
		},
	}
}

func TestModels(t *testing.T) {
	on := true
	completed := func(nvml.Device) (facts.GPUFabric, nvml.Return) {
		return fabric(nvml.GPU_FABRIC_STATE_COMPLETED, 0, [16]uint8{}, 0, 0), nvml.SUCCESS
	}
	before := func(nvml.Device) (facts.GPUFabric, nvml.Return) { return facts.GPUFabric{}, nvml.ERROR_NOT_SUPPORTED }
	for _, c := range []struct {
		name   string
		id     uint32
		device string
		fabric func(nvml.Device) (facts.GPUFabric, nvml.Return)
		want   facts.GPUFabric
	}{
		// Before Hopper there is no fabric state, although an HGX A100 needs a fabric manager.
		{"NVIDIA A100-SXM4-80GB", 0x20b2, "10de:20b2", before, facts.GPUFabric{Unknown: facts.NotSupported}},
		{"NVIDIA H100 80GB HBM3", 0x2330, "10de:2330", completed, facts.GPUFabric{State: "completed"}},
		{"NVIDIA H200", 0x2335, "10de:2335", completed, facts.GPUFabric{State: "completed"}},
		{"NVIDIA B200", 0x2901, "10de:2901", completed, facts.GPUFabric{State: "completed"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := asker{library: library(device(c.name, c.id)), fabric: c.fabric}.ask()
			want := facts.NVML{Driver: "580.95.05", CUDA: "13.0", Library: "13.580.95.05", GPUs: []facts.GPU{{
				Name: c.name, UUID: "GPU-1", Serial: "165002300001", PCI: "0000:3b:00", Device: c.device, Fabric: c.want,
				Recovery: facts.GPURecovery{Action: facts.RecoveryNone}, ECC: facts.GPUECC{Enabled: true, Pending: true}, Persistence: &on,
			}}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// go-nvml's own server of 8 A100, which knows neither serials nor errors: what it does not have is asked by nobody.
func TestServer(t *testing.T) {
	server := dgxa100.New()
	server.SystemGetNVMLVersionFunc = func() (string, nvml.Return) { return "12", nvml.SUCCESS }
	got := asker{
		library: server,
		lacks:   []string{symbolSerial, symbolFields, symbolECC, symbolErrors, symbolRemap, symbolPersistence, symbolPCI, symbolCUDA},
		fabric:  func(nvml.Device) (facts.GPUFabric, nvml.Return) { return facts.GPUFabric{}, nvml.ERROR_NOT_SUPPORTED },
	}.ask()
	if len(got.GPUs) != 8 || got.GPUs[7].Name != "Mock NVIDIA A100-SXM4-40GB" || got.GPUs[7].ECC.Unknown == "" || got.GPUs[7].Unknown != "" {
		t.Errorf("%+v", got)
	}
}

// A part that fails says why, and hides no other part. A lost GPU says which it is.
func TestParts(t *testing.T) {
	failing := device("NVIDIA H100 80GB HBM3", 0x2330)
	failing.GetRemappedRowsFunc = func() (int, int, bool, bool, nvml.Return) { return 0, 0, false, false, nvml.ERROR_UNKNOWN }
	failing.GetFieldValuesFunc = func(v []nvml.FieldValue) nvml.Return {
		v[0].NvmlReturn = uint32(nvml.ERROR_INVALID_ARGUMENT)
		return nvml.SUCCESS
	}
	failing.GetEccModeFunc = func() (nvml.EnableState, nvml.EnableState, nvml.Return) { return 0, 0, nvml.ERROR_NOT_SUPPORTED }
	lost := device("", 0x2330)
	lost.GetNameFunc = func() (string, nvml.Return) { return "", nvml.ERROR_GPU_IS_LOST }
	got := asker{library: library(failing, lost), fabric: func(nvml.Device) (facts.GPUFabric, nvml.Return) {
		return fabric(7, 0, [16]uint8{}, 0, 0), nvml.SUCCESS
	}}.ask()
	a, b := got.GPUs[0], got.GPUs[1]
	if a.Remap.Unknown != "ERROR_UNKNOWN" || a.Recovery.Unknown != facts.NotSupported || a.ECC.Unknown != facts.NotSupported ||
		a.Fabric.Unknown != "NVML names a state 7 that upkeep does not know" || a.MIG.Unknown != "" || a.Unknown != "" {
		t.Errorf("%+v", a)
	}
	if b.Kind != facts.NVMLLost || b.PCI != "0000:3b:00" || b.Unknown != "nvmlDeviceGetName: ERROR_GPU_IS_LOST" {
		t.Errorf("%+v", b)
	}
}
