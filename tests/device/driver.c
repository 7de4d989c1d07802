/* NVIDIA's driver, as far as it says which GPUs there are: FAKE_GPUS of them, one by default; none is an error 100. */
#include <stdio.h>
#include <stdlib.h>

static int count(void) { return getenv("FAKE_GPUS") ? atoi(getenv("FAKE_GPUS")) : 1; }

int cuInit(unsigned flags) { return count() ? 0 : 100; }

int cuDeviceGetCount(int *found) {
    *found = count();
    return 0;
}
int cuDeviceGet(int *device, int number) { *device = number; return 0; }
int cuDeviceGetName(char *name, int size, int device) {
  snprintf(name, (size_t)size, "Made-up GPU %d", device);
  return 0;
}
