/* A stand-in for NVIDIA's libnvidia-ml.so.1, for tests: the real pynvml runs on it.

   cc -shared -fPIC -Wl,-soname,libnvidia-ml.so.1. What it answers is set by fake_set and fake_fail, or when it is loaded
   by the environment: FAKE_NVML="count=2,power_mw=90000,fail:nvmlDeviceGetPowerUsage=3,hang:…=seconds,die:…=calls".
   With "after:…=calls" it fails only after so many calls that went well.
   Energy is power times time. A process is in its list by "pid" (0: whoever asks, -1: its parent). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

typedef int R;
typedef void *D;
typedef unsigned long long u64;
enum { OK = 0, UNINITIALIZED = 1, INVALID = 2, NOT_FOUND = 6, INSUFFICIENT = 7, VERSION = 25 };
#define MOST 64
static struct { char name[64]; double value; } state[MOST];
static int states, begun, tokens[8];
static double energy_mj, energy_at;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}
static double *find(const char *name) {
  for (int i = 0; i < states; i++) if (!strcmp(state[i].name, name)) return &state[i].value;
  return 0;
}
static double get(const char *name, double otherwise) { double *it = find(name); return it ? *it : otherwise; }
static double energy(void) {
  double t = now();
  energy_mj += get("power_mw", 250000) * (t - energy_at);
  energy_at = t;
  return energy_mj;
}
void fake_set(const char *name, double value) {
  energy();
  double *it = find(name);
  if (it) *it = value;
  else if (states < MOST) { strncpy(state[states].name, name, 63); state[states++].value = value; }
}
void fake_reset(void) { states = begun = 0; energy_mj = 1e6; energy_at = now(); memset(state, 0, sizeof state); }
int fake_begun(void) { return begun; }
__attribute__((constructor)) static void boot(void) {
  fake_reset();
  const char *told = getenv("FAKE_NVML");
  if (!told) return;
  char copy[2048];
  strncpy(copy, told, 2047);
  copy[2047] = 0;
  for (char *one = strtok(copy, ","); one; one = strtok(0, ",")) {
    char *value = strchr(one, '=');
    if (value) { *value = 0; fake_set(one, atof(value + 1)); }
  }
}
static R enter(const char *name, int needs) {
  char key[96];
  snprintf(key, sizeof key, "hang:%s", name);
  if (find(key)) usleep((useconds_t)(*find(key) * 1e6));
  snprintf(key, sizeof key, "die:%s", name);
  if (find(key) && --*find(key) < 0) raise(SIGKILL);
  snprintf(key, sizeof key, "after:%s", name);
  int well = find(key) && --*find(key) >= 0;
  snprintf(key, sizeof key, "fail:%s", name);
  int code = well ? 0 : (int)get(key, 0);
  return code ? code : needs && !begun ? UNINITIALIZED : OK;
}
static int index_of(D d) {
  for (int i = 0; i < 8; i++) if (d == (D)&tokens[i]) return i;
  return -1;
}
#define CALL(n) { R r_ = enter(n, 1); if (r_) return r_; }
#define GPU(n) CALL(n) int i = index_of(d); if (i < 0) return INVALID; (void)i;
#define NUMBER(call, type, name, otherwise) \
  R call(D d, type *out) { GPU(#call) *out = (type)get(name, otherwise); return OK; }

R nvmlInitWithFlags(unsigned f) { (void)f; R r = enter("nvmlInitWithFlags", 0); if (!r) begun++; return r; }
R nvmlShutdown(void) { if (!begun) return UNINITIALIZED; begun--; return OK; }
const char *nvmlErrorString(R r) { static char b[32]; snprintf(b, 32, "made-up error %d", r); return b; }
R nvmlSystemGetDriverVersion(char *s, unsigned n) { CALL(__func__) snprintf(s, n, "580.95.05"); return OK; }
R nvmlSystemGetCudaDriverVersion(int *v) { CALL(__func__) *v = (int)get("cuda", 13000); return OK; }
R nvmlDeviceGetCount_v2(unsigned *n) { CALL(__func__) *n = (unsigned)get("count", 1); return OK; }
static void uuid(char *s, unsigned n, int i) {
  snprintf(s, n, "%s-00000000-0000-0000-0000-00000000000%d", get("mig_uuid", 0) ? "MIG" : "GPU", i);
}
R nvmlDeviceGetHandleByIndex_v2(unsigned i, D *d) {
  CALL(__func__)
  if (i >= (unsigned)get("count", 1)) return INVALID;
  *d = (D)&tokens[i];
  return OK;
}
R nvmlDeviceGetHandleByUUID(const char *u, D *d) {
  CALL(__func__)
  for (int i = 0; i < (int)get("count", 1); i++) {
    char own[96];
    uuid(own, sizeof own, i);
    if (!strcmp(own, u)) { *d = (D)&tokens[i]; return OK; }
  }
  return NOT_FOUND;
}
R nvmlDeviceGetName(D d, char *s, unsigned n) { GPU(__func__) snprintf(s, n, "Made-up GPU %d", i); return OK; }
R nvmlDeviceGetUUID(D d, char *s, unsigned n) { GPU(__func__) uuid(s, n, i); return OK; }
typedef struct { u64 total, free, used; } Memory;
R nvmlDeviceGetMemoryInfo(D d, Memory *m) {
  GPU(__func__)
  m->total = (u64)get("memory", 85899345920.0);
  m->used = (u64)get("used", 1073741824.0);
  m->free = m->total - m->used;
  return OK;
}
R nvmlDeviceGetTotalEnergyConsumption(D d, u64 *e) {
  GPU(__func__)
  double backwards = get("backwards", 0), still = get("still", 0);
  *e = (u64)(still ? 1e6 : backwards ? 1e9 - energy() : energy());
  return OK;
}
NUMBER(nvmlDeviceGetPowerUsage, unsigned, "power_mw", 250000)
NUMBER(nvmlDeviceGetEnforcedPowerLimit, unsigned, "power_limit_mw", 400000)
NUMBER(nvmlDeviceGetPowerManagementDefaultLimit, unsigned, "default_power_limit_mw", 400000)
NUMBER(nvmlDeviceGetPersistenceMode, unsigned, "persistence", 1)
NUMBER(nvmlDeviceGetCurrentClocksEventReasons, u64, "reasons", 0)
NUMBER(nvmlDeviceGetCurrentClocksThrottleReasons, u64, "reasons", 0)
R nvmlDeviceGetTemperature(D d, unsigned sensor, unsigned *t) { GPU(__func__) (void)sensor; *t = (unsigned)get("temperature", 45); return OK; }
typedef struct { unsigned version; int sensor; int temperature; } Temperature;
R nvmlDeviceGetTemperatureV(D d, Temperature *t) {
  GPU(__func__)
  if (t->version != 0x100000C) return VERSION;
  t->temperature = (int)get("temperature", 45);
  return OK;
}
R nvmlDeviceGetClockInfo(D d, unsigned which, unsigned *c) {
  GPU(__func__)
  *c = (unsigned)(which == 2 ? get("memory_mhz", 1593) : get("sm_mhz", 1410));
  return OK;
}
R nvmlDeviceGetMaxClockInfo(D d, unsigned which, unsigned *c) { GPU(__func__) *c = which == 2 ? 1593 : 1980; return OK; }
R nvmlDeviceGetEccMode(D d, unsigned *c, unsigned *p) { GPU(__func__) *c = *p = (unsigned)get("ecc", 1); return OK; }
R nvmlDeviceGetMigMode(D d, unsigned *c, unsigned *p) { GPU(__func__) *c = *p = (unsigned)get("mig", 0); return OK; }
typedef struct { unsigned gpu, memory; } Busy;
R nvmlDeviceGetUtilizationRates(D d, Busy *u) { GPU(__func__) u->gpu = (unsigned)get("busy", 97); u->memory = 40; return OK; }
typedef struct { unsigned pid; u64 used; unsigned instance, compute; } Process;
static R list(unsigned *n, Process *p, unsigned have) {
  if (!have) { *n = 0; return OK; }
  if (!p || *n < have) { *n = have; return INSUFFICIENT; }
  for (unsigned i = 0; i < have; i++) {
    double pid = get("pid", 0), held = get("held", 734003200.0);
    p[i].pid = i ? 100000 + i : pid < 0 ? (unsigned)getppid() : pid ? (unsigned)pid : (unsigned)getpid();
    p[i].used = held < 0 ? ~0ULL : (u64)held;
    p[i].instance = p[i].compute = ~0u;
  }
  *n = have;
  return OK;
}
R nvmlDeviceGetComputeRunningProcesses_v3(D d, unsigned *n, Process *p) { GPU(__func__) return list(n, p, (unsigned)get("processes", 1)); }
R nvmlDeviceGetGraphicsRunningProcesses_v3(D d, unsigned *n, Process *p) { GPU(__func__) return list(n, p, 0); }
R nvmlDeviceGetMPSComputeRunningProcesses_v3(D d, unsigned *n, Process *p) { GPU(__func__) return list(n, p, 0); }
