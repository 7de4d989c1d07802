/* NVIDIA's driver in software, for tests: libcuda.so.1 with host memory, asynchronous streams (a thread each), events,
   captured graphs and a limit of memory (SOFTWARE_CUDA_BYTES names a file that may hold another). It runs no kernels but one that only takes time, and
   where that has all PLACES for threads nothing else computes meanwhile: a test puts its own function into a stream
   (cuLaunchHostFunc). The real cuda.bindings.driver calls it; CUDA's runtime, which wants undocumented
   tables, does not. Types are written out as in cuda.h, so that nothing of NVIDIA's is needed to build it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
  OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, INVALID_DEVICE = 101, INVALID_CONTEXT = 201,
  INVALID_HANDLE = 400, NOT_FOUND = 500, NOT_READY = 600, CAPTURE_WRONG = 901
};
enum { PROCESSORS = 2, THREADS = 1024, PLACES = PROCESSORS * THREADS };
enum kind { COPY, FILL, DELAY, HOLD, RECORD, CALL };

typedef struct event { pthread_mutex_t lock; pthread_cond_t passed; int pending, was_recorded; double at; } event;
typedef struct op {
  enum kind kind; void *to; const void *from; size_t size; int value; double seconds; event *event;
  void (*call)(void *); void *argument; struct op *next;
} op;
typedef struct stream {
  pthread_mutex_t lock; pthread_cond_t work, idle; op *first, *last; int busy, ending; pthread_t thread;
  struct graph *capturing; struct stream *next;
} stream;
typedef struct graph { op *first, *last; } graph;
typedef struct block { char *at; size_t size; struct block *next; } block;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static stream *default_stream, *streams;
static block *blocks;
static size_t held, highest, limit = (size_t)1 << 30;
static unsigned long allocations, copies_in, copies_out, waits, launches, pinned;
static int is_started, failure, retained;
static __thread int has_context;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static int is_held;
static int the_context;
static double taken_until;  /* until then a kernel has every place */

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void spin(void *given);

static void wait_for_a_place(void) {
  for (double left; (left = taken_until - now()) > 0;) {
    struct timespec t = {(time_t)left, (long)((left - (double)(time_t)left) * 1e9)};
    nanosleep(&t, NULL);
  }
}

static void do_it(op *one) {
  struct timespec t = {(time_t)one->seconds, (long)((one->seconds - (double)(time_t)one->seconds) * 1e9)};
  switch (one->kind) {
    case COPY: memcpy(one->to, one->from, one->size); break;
    case FILL: memset(one->to, one->value, one->size); break;
    case DELAY: nanosleep(&t, NULL); break;
    case CALL:
      if (one->call != spin) wait_for_a_place();
      one->call(one->argument);
      break;
    case HOLD:
      pthread_mutex_lock(&gate);
      while (is_held) pthread_cond_wait(&opened, &gate);
      pthread_mutex_unlock(&gate);
      break;
    case RECORD:
      pthread_mutex_lock(&one->event->lock);
      one->event->at = now();
      one->event->pending--;
      one->event->was_recorded = 1;
      pthread_cond_broadcast(&one->event->passed);
      pthread_mutex_unlock(&one->event->lock);
  }
}

static void *worker(void *given) {
  stream *s = given;
  for (;;) {
    pthread_mutex_lock(&s->lock);
    while (!s->first && !s->ending) {
      s->busy = 0;
      pthread_cond_broadcast(&s->idle);
      pthread_cond_wait(&s->work, &s->lock);
    }
    op *one = s->first;
    if (one && !(s->first = one->next)) s->last = NULL;
    pthread_mutex_unlock(&s->lock);
    if (!one) return NULL;
    do_it(one);
    free(one);
  }
}

static stream *new_stream(void) {
  stream *s = calloc(1, sizeof *s);
  pthread_mutex_init(&s->lock, NULL);
  pthread_cond_init(&s->work, NULL);
  pthread_cond_init(&s->idle, NULL);
  pthread_create(&s->thread, NULL, worker, s);
  pthread_mutex_lock(&lock);
  s->next = streams;
  streams = s;
  pthread_mutex_unlock(&lock);
  return s;
}

static stream *of(void *handle) { return (uintptr_t)handle < 3 ? default_stream : handle; }

static void put(stream *s, op what) {
  op *one = malloc(sizeof *one);
  *one = what;
  one->next = NULL;
  pthread_mutex_lock(&s->lock);
  if (s->capturing) {
    graph *g = s->capturing;
    if (g->last) g->last->next = one; else g->first = one;
    g->last = one;
  } else {
    s->busy = 1;
    if (s->last) s->last->next = one; else s->first = one;
    s->last = one;
    pthread_cond_signal(&s->work);
  }
  pthread_mutex_unlock(&s->lock);
}

static void drain(stream *s) {
  pthread_mutex_lock(&s->lock);
  while (s->first || s->busy) pthread_cond_wait(&s->idle, &s->lock);
  pthread_mutex_unlock(&s->lock);
}

static int is_ours(uint64_t address, size_t size) {  /* whether all of it is memory of the device */
  int found = 0;
  pthread_mutex_lock(&lock);
  for (block *b = blocks; b; b = b->next)
    found |= (char *)address >= b->at && (char *)address + size <= b->at + (b->size ? b->size : 1);
  pthread_mutex_unlock(&lock);
  return found;
}

#define READY() do { if (!is_started) return NOT_INITIALIZED; if (!has_context) return INVALID_CONTEXT; } while (0)

int cuInit(unsigned flags) {
  (void)flags;
  const char *name = getenv("SOFTWARE_CUDA_BYTES");
  FILE *said = !is_started && name ? fopen(name, "r") : NULL;
  if (said) {
    if (fscanf(said, "%zu", &limit) != 1) limit = 0;
    fclose(said);
  }
  if (!is_started) { default_stream = new_stream(); is_started = 1; }
  return OK;
}
int cuDriverGetVersion(int *version) { *version = 13000; return OK; }
int cuDeviceGetCount(int *count) { *count = 1; return is_started ? OK : NOT_INITIALIZED; }
int cuDeviceGet(int *device, int number) { *device = number; return number ? INVALID_DEVICE : OK; }
int cuDeviceGetName(char *name, int size, int device) { (void)device; snprintf(name, (size_t)size, "Software GPU"); return OK; }
int cuDeviceGetUuid_v2(unsigned char *uuid, int device) { (void)device; memset(uuid, 7, 16); return OK; }
int cuDeviceTotalMem_v2(size_t *size, int device) { (void)device; *size = limit; return OK; }
int cuDeviceGetAttribute(int *value, int which, int device) {
  (void)device;
  *value = which == 75 ? 9 : which == 16 ? PROCESSORS : which == 39 ? THREADS : 0;
  return OK;
}
int cuDevicePrimaryCtxSetFlags_v2(int device, unsigned flags) { (void)device; return flags == 1 || flags == 4 ? OK : INVALID_VALUE; }
int cuDevicePrimaryCtxRetain(void **context, int device) { (void)device; *context = &the_context; __atomic_add_fetch(&retained, 1, __ATOMIC_SEQ_CST); return is_started ? OK : NOT_INITIALIZED; }
int cuDevicePrimaryCtxRelease_v2(int device) { (void)device; return __atomic_sub_fetch(&retained, 1, __ATOMIC_SEQ_CST) < 0 ? INVALID_CONTEXT : OK; }
int cuCtxSetCurrent(void *context) { has_context = context != NULL; return OK; }
int cuCtxGetCurrent(void **context) { *context = has_context ? &the_context : NULL; return OK; }
int cuCtxGetDevice(int *device) { *device = 0; return has_context ? OK : INVALID_CONTEXT; }

int cuMemGetInfo_v2(size_t *unused, size_t *total) { READY(); *total = limit; *unused = limit - held; return OK; }
int cuMemAlloc_v2(uint64_t *address, size_t size) {
  READY();
  pthread_mutex_lock(&lock);
  void *at = NULL;
  int failed = !size ? INVALID_VALUE : held + size > limit || posix_memalign(&at, 256, size) ? OUT_OF_MEMORY : OK;
  if (!failed) {
    memset(at, 0xA5, size);
    block *b = malloc(sizeof *b);
    *b = (block){at, size, blocks};
    blocks = b;
    held += size;
    if (held > highest) highest = held;
    allocations++;
    *address = (uint64_t)at;
  }
  pthread_mutex_unlock(&lock);
  return failed;
}
int cuMemFree_v2(uint64_t address) {
  READY();
  pthread_mutex_lock(&lock);
  for (stream *s = streams; s; s = s->next) drain(s);
  block **link = &blocks;
  while (*link && (*link)->at != (char *)address) link = &(*link)->next;
  block *b = *link;
  if (b) {
    *link = b->next;
    held -= b->size;
    memset(b->at, 0xDD, b->size);
    free(b->at);
    free(b);
  }
  pthread_mutex_unlock(&lock);
  return b || !address ? OK : INVALID_VALUE;
}
int cuMemHostAlloc(void **address, size_t size, unsigned flags) {
  (void)flags;
  READY();
  if (!size) return INVALID_VALUE;
  pinned++;
  return posix_memalign(address, 4096, size) ? OUT_OF_MEMORY : OK;
}
int cuMemFreeHost(void *address) { READY(); pinned--; free(address); return OK; }

static int copy(void *to, const void *from, size_t size, void *s) {
  put(of(s), (op){.kind = COPY, .to = to, .from = from, .size = size});
  return OK;
}
int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t size, void *s) {
  READY();
  copies_in++;
  return is_ours(to, size) ? copy((void *)to, from, size, s) : INVALID_VALUE;
}
int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t size, void *s) {
  READY();
  copies_out++;
  return is_ours(from, size) ? copy(to, (void *)from, size, s) : INVALID_VALUE;
}
int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t size, void *s) {
  READY();
  return is_ours(to, size) && is_ours(from, size) ? copy((void *)to, (void *)from, size, s) : INVALID_VALUE;
}
int cuMemsetD8Async(uint64_t to, unsigned char value, size_t size, void *s) {
  READY();
  if (!is_ours(to, size)) return INVALID_VALUE;
  put(of(s), (op){.kind = FILL, .to = (void *)to, .size = size, .value = value});
  return OK;
}

int cuStreamCreate(void **s, unsigned flags) { (void)flags; READY(); *s = new_stream(); return OK; }
int cuStreamDestroy_v2(void *handle) {
  READY();
  stream *s = handle;
  drain(s);
  pthread_mutex_lock(&lock);
  stream **link = &streams;
  while (*link != s) link = &(*link)->next;
  *link = s->next;
  pthread_mutex_unlock(&lock);
  pthread_mutex_lock(&s->lock);
  s->ending = 1;
  pthread_cond_signal(&s->work);
  pthread_mutex_unlock(&s->lock);
  pthread_join(s->thread, NULL);
  free(s);
  return OK;
}
int cuStreamSynchronize(void *s) {
  READY();
  if (of(s)->capturing) return CAPTURE_WRONG;
  waits++;
  drain(of(s));
  int code = failure;
  failure = 0;
  return code;
}
int cuStreamBeginCapture_v2(void *s, int mode) { (void)mode; READY(); of(s)->capturing = calloc(1, sizeof(graph)); return OK; }
int cuStreamEndCapture(void *s, void **g) { READY(); *g = of(s)->capturing; of(s)->capturing = NULL; return *g ? OK : CAPTURE_WRONG; }
int cuGraphInstantiateWithFlags(void **runnable, void *g, unsigned long long flags) { (void)flags; READY(); *runnable = g; return OK; }
int cuGraphLaunch(void *runnable, void *s) {
  READY();
  launches++;
  for (op *one = ((graph *)runnable)->first; one; one = one->next) put(of(s), *one);
  return OK;
}
int cuGraphExecDestroy(void *runnable) { (void)runnable; return OK; }
int cuGraphDestroy(void *g) {
  for (op *one = ((graph *)g)->first, *next; one; one = next) { next = one->next; free(one); }
  free(g);
  return OK;
}

/* Of a module's text nothing is compiled: its kernels are launched and do nothing, but for `spin`, which takes its time. */
typedef struct { uint64_t ns, *told; } spinning;
static void spin(void *given) {
  spinning *one = given;
  double begun = now(), left = (double)one->ns * 1e-9, took;
  do_it(&(op){.kind = DELAY, .seconds = left > 1e-4 ? left - 1e-4 : 0});
  while ((took = (now() - begun) * 1e9) < (double)one->ns) {}
  *one->told = (uint64_t)took;
  free(one);
}
int cuModuleLoadData(void **module, const void *text) { READY(); *module = strdup(text); return OK; }
int cuModuleUnload(void *module) { READY(); free(module); return OK; }
int cuModuleGetFunction(void **function, void *module, const char *name) {
  READY();
  *function = strstr(module, name);
  return *function ? OK : NOT_FOUND;
}
int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned x, unsigned y, unsigned z, unsigned shared,
                   void *s, void **given, void **extra) {
  (void)gy; (void)gz; (void)y; (void)z; (void)shared; (void)extra;
  READY();
  if (strncmp(function, "spin", 4)) return OK;
  double until = now() + (double)*(uint64_t *)given[0] * 1e-9;
  if (gx * x >= PLACES && until > taken_until) taken_until = until;
  spinning *one = malloc(sizeof *one);
  *one = (spinning){*(uint64_t *)given[0], *(uint64_t **)given[1]};
  put(of(s), (op){.kind = CALL, .call = spin, .argument = one});
  return OK;
}

int cuEventCreate(void **handle, unsigned flags) {
  (void)flags;
  READY();
  event *e = calloc(1, sizeof *e);
  pthread_mutex_init(&e->lock, NULL);
  pthread_cond_init(&e->passed, NULL);
  *handle = e;
  return OK;
}
int cuEventDestroy_v2(void *e) { free(e); return OK; }
int cuEventRecord(void *handle, void *s) {
  READY();
  event *e = handle;
  pthread_mutex_lock(&e->lock);
  e->pending++;
  pthread_mutex_unlock(&e->lock);
  put(of(s), (op){.kind = RECORD, .event = e});
  return OK;
}
int cuEventSynchronize(void *handle) {
  event *e = handle;
  waits++;
  pthread_mutex_lock(&e->lock);
  while (e->pending) pthread_cond_wait(&e->passed, &e->lock);
  pthread_mutex_unlock(&e->lock);
  return OK;
}
int cuEventElapsedTime_v2(float *ms, void *from, void *to) {
  event *a = from, *b = to;
  if (a->pending || b->pending) return NOT_READY;
  if (!a->was_recorded || !b->was_recorded) return INVALID_HANDLE;
  *ms = (float)((b->at - a->at) * 1e3);
  return OK;
}
int cuEventElapsedTime(float *ms, void *from, void *to) { return cuEventElapsedTime_v2(ms, from, to); }
int cuLaunchHostFunc(void *s, void (*call)(void *), void *argument) {
  if (!is_started) return NOT_INITIALIZED;
  put(of(s), (op){.kind = CALL, .call = call, .argument = argument});
  return OK;
}

int cuGetErrorString(int code, const char **text) {
  *text = code == OUT_OF_MEMORY ? "out of memory" : code == INVALID_VALUE ? "invalid argument"
        : code == NOT_READY ? "device not ready" : code == INVALID_CONTEXT ? "invalid device context"
        : code == 700 ? "an illegal memory access was encountered" : "another error";
  return OK;
}
int cuGetErrorName(int code, const char **text) { return cuGetErrorString(code, text); }

/* For tests */
void software_delay(void *s, double seconds) { put(of(s), (op){.kind = DELAY, .seconds = seconds}); }
void software_hold(void *s) { is_held = 1; put(of(s), (op){.kind = HOLD}); }  /* what comes after waits … */
void software_release(void) {  /* … for this */
  pthread_mutex_lock(&gate);
  is_held = 0;
  pthread_cond_broadcast(&opened);
  pthread_mutex_unlock(&gate);
}
void software_limit(size_t bytes) { limit = bytes; }
void software_fail(int code) { failure = code; }  /* what the next wait finds */
void software_counts(unsigned long *told) {
  unsigned long all[] = {allocations, copies_in, copies_out, waits, launches, pinned, held, highest, (unsigned long)retained};
  memcpy(told, all, sizeof all);
}

int cuGetProcAddress_v2(const char *name, void **found, int version, uint64_t flags, int *status) {
  (void)version; (void)flags;
  Dl_info own;
  dladdr((void *)cuInit, &own);
  void *self = dlopen(own.dli_fname, RTLD_NOW | RTLD_NOLOAD);
  char versioned[128];
  snprintf(versioned, sizeof versioned, "%s_v2", name);
  *found = dlsym(self, versioned);
  if (!*found) *found = dlsym(self, name);
  if (!strcmp(name, "cuGraphInstantiate")) *found = dlsym(self, "cuGraphInstantiateWithFlags");
  if (status) *status = *found ? 0 : 1;
  return *found ? OK : NOT_FOUND;
}
int cuGetProcAddress(const char *name, void **found, int version, uint64_t flags) {
  return cuGetProcAddress_v2(name, found, version, flags, NULL);
}
