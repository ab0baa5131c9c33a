/*
 * A library with the part of NVML's interface that upkeep-nvml calls, for tests: an HGX with GPUS modules and a driver.
 * It is compiled with NVIDIA's own header, so that the compiler holds its functions and structures to that.
 *
 * WITHOUT_X leaves one function out, as an old driver would; INIT is what nvmlInit answers; LOST is the index of a GPU
 * that has fallen off the bus; FABRIC is the newest version of the fabric's structure that the library knows; HANG
 * makes nvmlInit wait, and CRASH end the process. WELL leaves out the faults of memory and fabric that all GPUs have
 * otherwise.
 */
#include <nvml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef INIT
#define INIT 0
#endif
#ifndef GPUS
#define GPUS 8
#endif
#ifndef NAME
#define NAME "NVIDIA H100 80GB HBM3"
#endif
#ifndef DEVICE
#define DEVICE 0x2330
#endif
#ifndef DRIVER
#define DRIVER "570.124.06"
#endif
#ifndef LOST
#define LOST -1
#endif
#ifndef FABRIC
#define FABRIC 3
#endif
#ifndef RECOVERY
#define RECOVERY 0
#endif

/* go-nvml's header wraps the pointer of NVIDIA's in a structure, which is passed in the same way. */
struct nvmlDevice_st { int index; };
static struct nvmlDevice_st gpus[GPUS];

static nvmlReturn_t fill(char *to, unsigned size, const char *format, int index) {
	int needed = snprintf(to, size, format, index);
	return needed < 0 || (unsigned)needed >= size ? NVML_ERROR_INSUFFICIENT_SIZE : NVML_SUCCESS;
}

nvmlReturn_t nvmlInit_v2(void) {
#ifdef HANG
	for (;;) pause();
#endif
#ifdef CRASH
	abort();
#endif
	for (int i = 0; i < GPUS; i++) gpus[i].index = i;
	return INIT;
}
nvmlReturn_t nvmlShutdown(void) { return NVML_SUCCESS; }
const char *nvmlErrorString(nvmlReturn_t r) {
	switch (r) {
	case NVML_ERROR_DRIVER_NOT_LOADED: return "Driver Not Loaded";
	case NVML_ERROR_GPU_IS_LOST: return "GPU is lost";
	case NVML_ERROR_LIB_RM_VERSION_MISMATCH: return "Driver/library version mismatch";
	default: return "other";
	}
}
nvmlReturn_t nvmlSystemGetDriverVersion(char *to, unsigned size) { return fill(to, size, DRIVER, 0); }
nvmlReturn_t nvmlSystemGetNVMLVersion(char *to, unsigned size) { return fill(to, size, "12." DRIVER, 0); }
nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = 12080; return NVML_SUCCESS; }
nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *count) { *count = GPUS; return NVML_SUCCESS; }
nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned i, nvmlDevice_t *out) {
	if (i >= GPUS) return NVML_ERROR_INVALID_ARGUMENT;
	if ((int)i == LOST) return NVML_ERROR_GPU_IS_LOST;
	out->handle = &gpus[i];
	return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t d, char *to, unsigned size) { return fill(to, size, NAME, d.handle->index); }
#ifndef WITHOUT_UUID
nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t d, char *to, unsigned size) {
	return fill(to, size, "GPU-00000000-0000-0000-0000-%012d", d.handle->index);
}
#endif
nvmlReturn_t nvmlDeviceGetSerial(nvmlDevice_t d, char *to, unsigned size) { return fill(to, size, "16500230000%02d", d.handle->index); }
nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t d, nvmlPciInfo_t *p) {
	memset(p, 0, sizeof *p);
	p->bus = 0x15 + 5 * d.handle->index;
	p->pciDeviceId = (unsigned)DEVICE << 16 | 0x10de;
	return fill(p->busId, sizeof p->busId, "00000000:%02X:00.0", p->bus);
}
#ifndef WITHOUT_FABRIC
nvmlReturn_t nvmlDeviceGetGpuFabricInfoV(nvmlDevice_t d, nvmlGpuFabricInfoV_t *f) {
	unsigned version = f->version >> 24;
	if (version > FABRIC) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	memset(f->clusterUuid, 0xab, sizeof f->clusterUuid);
	f->status = NVML_SUCCESS;
	f->cliqueId = 0;
	f->state = NVML_GPU_FABRIC_STATE_COMPLETED;
#ifdef WELL
	f->healthMask = NVML_GPU_FABRIC_HEALTH_MASK_DEGRADED_BW_FALSE | NVML_GPU_FABRIC_HEALTH_MASK_ROUTE_RECOVERY_FALSE << 2;
	return NVML_SUCCESS;
#endif
	f->healthMask = NVML_GPU_FABRIC_HEALTH_MASK_DEGRADED_BW_FALSE | NVML_GPU_FABRIC_HEALTH_MASK_ROUTE_RECOVERY_TRUE << 2;
	return NVML_SUCCESS;
}
#endif
nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t d, int count, nvmlFieldValue_t *v) {
	for (int i = 0; i < count; i++) {
		v[i].nvmlReturn = v[i].fieldId == NVML_FI_DEV_GET_GPU_RECOVERY_ACTION ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
		v[i].valueType = NVML_VALUE_TYPE_UNSIGNED_INT;
		v[i].value.uiVal = RECOVERY;
	}
	return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetEccMode(nvmlDevice_t d, nvmlEnableState_t *now, nvmlEnableState_t *pending) {
	*now = *pending = NVML_FEATURE_ENABLED;
	return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t d, nvmlMemoryErrorType_t kind, nvmlEccCounterType_t counter, unsigned long long *n) {
#ifdef WELL
	*n = 0;
	return NVML_SUCCESS;
#endif
	*n = 1 + 2 * (counter == NVML_AGGREGATE_ECC) + (kind == NVML_MEMORY_ERROR_TYPE_CORRECTED) * 10;
	return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetRemappedRows(nvmlDevice_t d, unsigned *cor, unsigned *unc, unsigned *pending, unsigned *failed) {
#ifdef WELL
	*cor = *unc = *pending = *failed = 0;
	return NVML_SUCCESS;
#endif
	*cor = 0; *unc = 2; *pending = 1; *failed = 0;
	return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t d, unsigned *now, unsigned *pending) {
	*now = *pending = NVML_DEVICE_MIG_ENABLE;
#ifdef WELL
	*now = *pending = NVML_DEVICE_MIG_DISABLE;
#endif
	return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t d, unsigned *count) { *count = 7; return NVML_SUCCESS; }
nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t d, unsigned i, nvmlDevice_t *out) {
	if (i > 1) return NVML_ERROR_NOT_FOUND;
	*out = d;
	return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetPersistenceMode(nvmlDevice_t d, nvmlEnableState_t *mode) { *mode = NVML_FEATURE_ENABLED; return NVML_SUCCESS; }
