/* Two dense layers, run for benchpact: cc -O2 -o runner runner.c, and `command: ./runner {weights}`. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SLOTS = 65536 };
static int n, h, m, samples[SLOTS]; /* sizes of a sample; the queries' samples */
static float *first, *bias, *second, *hidden, *x[SLOTS];
static char *out; /* the memory for outputs: 4096 bytes of text, then the arrays */
static size_t room;

static float *floats(FILE *file, size_t count) {
    float *data = malloc(count * sizeof *data + 1);
    return data && fread(data, sizeof *data, count, file) == count ? data : NULL;
}

static int load(const char *path) { /* three sizes, then the weights */
    FILE *file = fopen(path, "rb");
    if (!file || fread(&n, 4, 1, file) + fread(&h, 4, 1, file) + fread(&m, 4, 1, file) != 3) return 0;
    if (n < 1 || h < 1 || m < 1 || n > 9999 || h > 9999 || m > 9999) return 0;
    hidden = malloc(h * sizeof *hidden);
    return (first = floats(file, n * h)) && (bias = floats(file, h)) && (second = floats(file, h * m));
}

static int share(const char *path) {
    int file = open(path, O_RDWR);
    out = file < 0 ? MAP_FAILED : mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    return out != MAP_FAILED;
}

static void run(int slot) {
    float *y = (float *)(out + 4096);
    snprintf(out, 4096, "tensor float32 %d 2 %d %d y\n", samples[slot] * m * 4, samples[slot], m);
    for (int s = 0; s < samples[slot]; s++) {
        memcpy(hidden, bias, h * sizeof *hidden);
        for (int i = 0; i < n; i++)
            for (int j = 0; j < h; j++) hidden[j] += x[slot][s * n + i] * first[i * h + j];
        memset(y + s * m, 0, m * sizeof *y);
        for (int j = 0; j < h; j++)
            for (int k = 0; k < m; k++) y[s * m + k] += (hidden[j] > 0 ? hidden[j] : 0) * second[j * m + k];
    }
}

int main(int argc, char **argv) {
    char line[4096], device[64], precision[16], path[1024];
    int threads, slot;
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "benchpact 1 %d %15s %63s", &threads, precision, device) == 3) {
            if (argc > 1 && load(argv[1])) puts("ready 1 1 fp32 cpu two-layers 1.0"); /* what it really runs with */
            else printf("error %s is no file of weights\n", argc > 1 ? argv[1] : "nothing");
        } else if (sscanf(line, "stage %d", &slot) == 1 && slot >= 0 && slot < SLOTS) {
            fgets(line, sizeof line, stdin); /* tensor float32 BYTES 2 SAMPLES 8 x */
            sscanf(line, "tensor float32 %*d 2 %d", &samples[slot]);
            free(x[slot]);
            puts((x[slot] = floats(stdin, (size_t)samples[slot] * n)) ? "ok" : "error out of memory");
        } else if (sscanf(line, "run %d", &slot) == 1) {
            run(slot);
            puts("ok");
        } else if (sscanf(line, "outputs %zu %1023s", &room, path) == 2) {
            puts(share(path) ? "ok" : "error no memory for outputs");
        } else if (!strcmp(line, "ping\n")) puts("ok");
        else if (!strcmp(line, "end\n")) return 0;
        else printf("error unknown: %s", line);
        fflush(stdout);
    }
    return 0;
}
