/*
 * A library with the part of NVML's interface that upkeep-nvml calls, for tests: two GPUs and a driver.
 * WITHOUT_UUID leaves one function out, as an old driver would; INIT is what nvmlInit answers.
 */
#include <stdio.h>

#ifndef INIT
#define INIT 0
#endif

typedef struct gpu { unsigned index; } *handle;
static struct gpu gpus[2] = {{0}, {1}};

static int fill(char *to, unsigned size, const char *format, unsigned index) {
	int needed = snprintf(to, size, format, index);
	return needed < 0 || (unsigned)needed >= size ? 7 /* INSUFFICIENT_SIZE */ : 0;
}

int nvmlInit_v2(void) { return INIT; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int r) { return r == 18 ? "Driver/library version mismatch" : "other"; }
int nvmlSystemGetDriverVersion(char *to, unsigned size) { return fill(to, size, "570.124.06", 0); }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, handle *out) { if (i > 1) return 2; *out = &gpus[i]; return 0; }
int nvmlDeviceGetName(handle h, char *to, unsigned size) { return fill(to, size, "NVIDIA H100 80GB HBM3", h->index); }
#ifndef WITHOUT_UUID
int nvmlDeviceGetUUID(handle h, char *to, unsigned size) { return fill(to, size, "GPU-00000000-0000-0000-0000-%012u", h->index); }
#endif
