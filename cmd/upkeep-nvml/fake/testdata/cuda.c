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
