//go:build cgo && linux

package main

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"upkeep/providers/facts"
)

// gpu asks for one GPU. One that does not answer is in the list all the same, with the reason.
func (a asker) gpu(index int) facts.GPU {
	g := facts.GPU{Index: index}
	failed := func(call string, r nvml.Return) facts.GPU {
		g.Unknown, g.Kind = fmt.Sprintf("%s: %v", call, r), problem(r)
		return g
	}
	device, r := a.library.DeviceGetHandleByIndex(index)
	if r != nvml.SUCCESS {
		return failed("nvmlDeviceGetHandleByIndex", r)
	}
	// The address first: it tells which GPU it is that then fails.
	if a.has(symbolPCI) {
		if info, r := device.GetPciInfo(); r == nvml.SUCCESS {
			g.PCI = facts.PCIAddress(text(info.BusId[:]))
			g.Device = fmt.Sprintf("%04x:%04x", info.PciDeviceId&0xffff, info.PciDeviceId>>16)
		}
	}
	if g.Name, r = device.GetName(); r != nvml.SUCCESS {
		return failed("nvmlDeviceGetName", r)
	}
	if g.UUID, r = device.GetUUID(); r != nvml.SUCCESS {
		return failed("nvmlDeviceGetUUID", r)
	}
	if a.has(symbolSerial) {
		if serial, r := device.GetSerial(); r == nvml.SUCCESS {
			g.Serial = serial
		} else if p := problem(r); p != "" {
			return failed("nvmlDeviceGetSerial", r)
		}
	}
	g.Fabric, r = a.fabric(device)
	if r != nvml.SUCCESS {
		g.Fabric = facts.GPUFabric{Unknown: why(r)}
	}
	g.Recovery = a.recovery(device)
	g.ECC = a.ecc(device)
	g.Remap = a.remap(device)
	g.MIG = a.mig(device)
	if a.has(symbolPersistence) {
		if state, r := device.GetPersistenceMode(); r == nvml.SUCCESS {
			on := state == nvml.FEATURE_ENABLED
			g.Persistence = &on
		}
	}
	return g
}

// text is a string of C.
func text(c []int8) string {
	var out []byte
	for _, b := range c {
		if b == 0 {
			break
		}
		out = append(out, byte(b))
	}
	return string(out)
}

// why is the reason of a part that is not known.
func why(r nvml.Return) string {
	if r == nvml.ERROR_NOT_SUPPORTED {
		return facts.NotSupported
	}
	return r.Error()
}

const lacking = "the library lacks "

// recovery asks for field 230, which drivers before 550 do not know.
func (a asker) recovery(device nvml.Device) facts.GPURecovery {
	if !a.has(symbolFields) {
		return facts.GPURecovery{Unknown: lacking + symbolFields}
	}
	values := []nvml.FieldValue{{FieldId: nvml.FI_DEV_GET_GPU_RECOVERY_ACTION}}
	if r := device.GetFieldValues(values); r != nvml.SUCCESS {
		return facts.GPURecovery{Unknown: why(r)}
	}
	if r := nvml.Return(values[0].NvmlReturn); r != nvml.SUCCESS {
		// A driver that does not know the field calls its number an invalid argument.
		if r == nvml.ERROR_INVALID_ARGUMENT {
			r = nvml.ERROR_NOT_SUPPORTED
		}
		return facts.GPURecovery{Unknown: why(r)}
	}
	action := binary.LittleEndian.Uint32(values[0].Value[:4])
	names := []string{
		facts.RecoveryNone, facts.RecoveryReset, facts.RecoveryReboot, facts.RecoveryDrainP2P,
		facts.RecoveryDrainReset, facts.RecoveryIMEX,
	}
	if int64(action) >= int64(len(names)) {
		return facts.GPURecovery{Action: fmt.Sprintf("unknown (%d)", action)}
	}
	return facts.GPURecovery{Action: names[action]}
}

func (a asker) ecc(device nvml.Device) (e facts.GPUECC) {
	if !a.has(symbolECC) || !a.has(symbolErrors) {
		return facts.GPUECC{Unknown: lacking + symbolECC + " or " + symbolErrors}
	}
	now, pending, r := device.GetEccMode()
	if r != nvml.SUCCESS {
		return facts.GPUECC{Unknown: why(r)}
	}
	e.Enabled, e.Pending = now == nvml.FEATURE_ENABLED, pending == nvml.FEATURE_ENABLED
	if !e.Enabled {
		return e
	}
	for _, c := range []struct {
		to      *uint64
		kind    nvml.MemoryErrorType
		counter nvml.EccCounterType
	}{
		{&e.Uncorrected, nvml.MEMORY_ERROR_TYPE_UNCORRECTED, nvml.VOLATILE_ECC},
		{&e.Corrected, nvml.MEMORY_ERROR_TYPE_CORRECTED, nvml.VOLATILE_ECC},
		{&e.UncorrectedTotal, nvml.MEMORY_ERROR_TYPE_UNCORRECTED, nvml.AGGREGATE_ECC},
		{&e.CorrectedTotal, nvml.MEMORY_ERROR_TYPE_CORRECTED, nvml.AGGREGATE_ECC},
	} {
		if *c.to, r = device.GetTotalEccErrors(c.kind, c.counter); r != nvml.SUCCESS {
			return facts.GPUECC{Unknown: why(r)}
		}
	}
	return e
}

func (a asker) remap(device nvml.Device) (m facts.GPURemap) {
	if !a.has(symbolRemap) {
		return facts.GPURemap{Unknown: lacking + symbolRemap}
	}
	var r nvml.Return
	m.Correctable, m.Uncorrectable, m.Pending, m.Failed, r = device.GetRemappedRows()
	if r != nvml.SUCCESS {
		return facts.GPURemap{Unknown: why(r)}
	}
	return m
}

func (a asker) mig(device nvml.Device) (m facts.GPUMIG) {
	if !a.has(symbolMIG) {
		return facts.GPUMIG{Unknown: lacking + symbolMIG}
	}
	now, pending, r := device.GetMigMode()
	if r != nvml.SUCCESS {
		return facts.GPUMIG{Unknown: why(r)}
	}
	m.Enabled, m.Pending = now == nvml.DEVICE_MIG_ENABLE, pending == nvml.DEVICE_MIG_ENABLE
	if !m.Enabled || !a.has(symbolMIGCount) || !a.has(symbolMIGHandle) {
		return m
	}
	most, r := device.GetMaxMigDeviceCount()
	if r != nvml.SUCCESS {
		return facts.GPUMIG{Unknown: why(r)}
	}
	for i := range most {
		if _, r := device.GetMigDeviceHandleByIndex(i); r == nvml.SUCCESS {
			m.Instances++
		}
	}
	return m
}

// states are NVML's nvmlGpuFabricState_t.
var states = []string{"not supported", "not started", "in progress", "completed"}

// fabricOf asks in the newest version of the structure that the library knows, and then in older ones.
func (a asker) fabricOf(device nvml.Device) (facts.GPUFabric, nvml.Return) {
	if a.has(symbolFabricV) {
		handler := device.GetGpuFabricInfoV()
		v3, r := handler.V3()
		if r == nvml.SUCCESS {
			return fabric(v3.State, v3.Status, v3.ClusterUuid, v3.CliqueId, v3.HealthMask), r
		}
		if r != nvml.ERROR_ARGUMENT_VERSION_MISMATCH && r != nvml.ERROR_INVALID_ARGUMENT {
			return facts.GPUFabric{}, r
		}
		v2, r := handler.V2()
		if r == nvml.SUCCESS {
			return fabric(v2.State, v2.Status, v2.ClusterUuid, v2.CliqueId, v2.HealthMask), r
		}
		if !a.has(symbolFabric) {
			return facts.GPUFabric{}, r
		}
	}
	if !a.has(symbolFabric) {
		return facts.GPUFabric{Unknown: lacking + symbolFabricV}, nvml.SUCCESS
	}
	v1, r := device.GetGpuFabricInfo()
	return fabric(v1.State, v1.Status, v1.ClusterUuid, v1.CliqueId, 0), r
}

// fabric turns NVML's structure into facts.
func fabric(state uint8, status uint32, cluster [16]uint8, clique, health uint32) facts.GPUFabric {
	if int(state) >= len(states) {
		return facts.GPUFabric{Unknown: fmt.Sprintf("NVML names a state %d that upkeep does not know", state)}
	}
	f := facts.GPUFabric{State: states[state], Status: int(status), Clique: clique, Health: healthOf(health)}
	if cluster != [16]uint8{} {
		h := hex.EncodeToString(cluster[:])
		f.Cluster = h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
	}
	return f
}

// healthOf reads the parts of the mask, two bits each (NVML_GPU_FABRIC_HEALTH_MASK_*): 0 says nothing, 1 is
// true, 2 is false. The configuration has four bits: 1 is none wrong, more is what is wrong.
func healthOf(mask uint32) map[string]bool {
	out := map[string]bool{}
	for _, part := range []struct {
		name  string
		shift uint
	}{
		{"degraded bandwidth", 0}, {"route recovery", 2}, {"route unhealthy", 4}, {"access timeout recovery", 6},
	} {
		if v := mask >> part.shift & 3; v == 1 || v == 2 {
			out[part.name] = v == 1
		}
	}
	if v := mask >> 8 & 15; v != 0 {
		out["incorrect configuration"] = v != 1
	}
	if len(out) == 0 {
		return nil
	}
	return out
}
