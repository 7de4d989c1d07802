/* A driver that is there and finds no GPU: libcuda.so.1 whose cuInit answers CUDA_ERROR_NO_DEVICE (100).
   The CUDA runtime asks it for its functions by name, and for tables that it does not have. */
#include <stddef.h>
#include <string.h>

enum { NO_DEVICE = 100 };

int cuInit(unsigned flags) { (void)flags; return NO_DEVICE; }
int cuDriverGetVersion(int *version) { *version = 13000; return 0; }
int cuDeviceGetCount(int *count) { *count = 0; return NO_DEVICE; }
int cuGetErrorString(int error, const char **text) { (void)error; *text = "no CUDA-capable device is detected"; return 0; }
int cuGetErrorName(int error, const char **text) { (void)error; *text = "CUDA_ERROR_NO_DEVICE"; return 0; }
int cuGetExportTable(const void **table, const void *id) { (void)id; *table = NULL; return NO_DEVICE; }
int cuTensorMapEncodeTiled(void) { return NO_DEVICE; }
static int anything(void) { return NO_DEVICE; }

int cuGetProcAddress_v2(const char *name, void **found, int version, unsigned long long flags, int *status);

static const struct { const char *name; void *function; } known[] = {
    {"cuInit", cuInit}, {"cuDriverGetVersion", cuDriverGetVersion}, {"cuDeviceGetCount", cuDeviceGetCount},
    {"cuGetErrorString", cuGetErrorString}, {"cuGetErrorName", cuGetErrorName},
    {"cuGetExportTable", cuGetExportTable}, {"cuGetProcAddress", cuGetProcAddress_v2},
};

int cuGetProcAddress(const char *name, void **found, int version, unsigned long long flags) {
  (void)version; (void)flags;
  *found = (void *)anything;
  for (size_t at = 0; at < sizeof known / sizeof *known; at++)
    if (!strcmp(name, known[at].name)) *found = known[at].function;
  return 0;
}

int cuGetProcAddress_v2(const char *name, void **found, int version, unsigned long long flags, int *status) {
  if (status) *status = 0;
  return cuGetProcAddress(name, found, version, flags);
}
