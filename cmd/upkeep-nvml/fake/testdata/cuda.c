/*
 * A libcuda that answers what a node's state makes it answer: INIT is the result of cuInit, COUNT that of
 * cuDeviceGetCount, DEVICES how many devices there are, HANG makes cuInit wait for a driver that never answers.
 */
#include <unistd.h>

#ifndef INIT
#define INIT 0
#endif
#ifndef COUNT
#define COUNT 0
#endif
#ifndef DEVICES
#define DEVICES 8
#endif

int cuDriverGetVersion(int *version) { *version = 12080; return 0; }
int cuInit(unsigned flags) {
#ifdef HANG
	for (;;) pause();
#endif
	return flags == 0 ? INIT : 1;
}
#ifndef WITHOUT_COUNT
int cuDeviceGetCount(int *count) { *count = DEVICES; return INIT ? 3 : COUNT; }
#endif
int cuGetErrorString(int result, const char **words) {
	if (result != 46) return 1;
	*words = "CUDA-capable device(s) is/are busy or unavailable";
	return 0;
}

/*
 * Memory of a device is memory of the process, and the kernel "product" computes what it is handed. WRONG is a device whose
 * product is wrong in one place, DEAD one on which nothing can be started, STUCK one that never ends.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef WRONG
#define WRONG -1
#endif
#ifndef DEAD
#define DEAD -1
#endif
#ifndef STUCK
#define STUCK -1
#endif

typedef unsigned long long address;

static int current, entered;

int cuDeviceGet(int *device, int index) {
	if (index < 0 || index >= DEVICES) return 101;
	*device = index;
	return 0;
}
int cuDeviceGetPCIBusId(char *text, int length, int device) {
	snprintf(text, (size_t)length, "0000:%02X:00.0", 0x15 + 5 * device);
	return 0;
}
int cuCtxCreate_v2(void **context, unsigned flags, int device) {
	if (flags || device == DEAD) return 46;
	*context = &current;
	current = device;
	entered = 1;
	return 0;
}
int cuModuleLoadData(void **module, const void *text) {
	const char *cache = getenv("CUDA_CACHE_DISABLE");
	if (!cache || strcmp(cache, "1")) return 46; /* it would be written to disk */
	if (!entered) return 201;
	if (!strstr(text, ".target sm_50") || !strstr(text, ".entry product(")) return 218;
	*module = &current;
	return 0;
}
int cuModuleGetFunction(void **function, void *module, const char *name) {
	*function = module;
	return strcmp(name, "product") ? 500 : 0;
}
int cuMemAlloc_v2(address *at, size_t size) {
	*at = (address)(size_t)malloc(size);
	return *at ? 0 : 2;
}
int cuMemcpyHtoD_v2(address to, const void *from, size_t size) { memcpy((void *)(size_t)to, from, size); return 0; }
int cuMemcpyDtoH_v2(void *to, address from, size_t size) { memcpy(to, (void *)(size_t)from, size); return 0; }
#ifndef WITHOUT_LAUNCH
int cuLaunchKernel(void *function, unsigned x, unsigned y, unsigned z, unsigned bx, unsigned by, unsigned bz, unsigned shared,
	void *stream, void **arguments, void **extra) {
	const unsigned *a = (void *)(size_t)*(address *)arguments[0], *b = (void *)(size_t)*(address *)arguments[1];
	unsigned *c = (void *)(size_t)*(address *)arguments[2], n = *(unsigned *)arguments[3];
	if (!function || y != 1 || z != 1 || by != 1 || bz != 1 || shared || stream || extra) return 1;
	for (unsigned long at = 0; at < (unsigned long)x * bx && at < (unsigned long)n * n; at++) {
		unsigned sum = 0;
		for (unsigned k = 0; k < n; k++) sum += a[at / n * n + k] * b[k * n + at % n];
		c[at] = sum;
	}
	if (current == WRONG) c[n + 2] ^= 1u << 30;
	return 0;
}
#endif
int cuCtxSynchronize(void) {
	while (current == STUCK) pause();
	return 0;
}
