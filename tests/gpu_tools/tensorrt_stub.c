/* In place of TensorRT's libraries: NVIDIA's own bindings import with it, so that their names and signatures can be read.
   It makes nothing: every factory answers NULL. */
#include <stddef.h>

void *createInferBuilder_INTERNAL(void *log, int version) { (void)log; (void)version; return NULL; }
void *createInferRefitter_INTERNAL(void *engine, void *log, int version) { (void)engine; (void)log; (void)version; return NULL; }
void *createInferRuntime_INTERNAL(void *log, int version) { (void)log; (void)version; return NULL; }
void *createNvOnnxParser_INTERNAL(void *network, void *log, int version) { (void)network; (void)log; (void)version; return NULL; }
void *createNvOnnxParserRefitter_INTERNAL(void *refitter, void *log, int version) { (void)refitter; (void)log; (void)version; return NULL; }
void *getBuilderPluginRegistry(int capability) { (void)capability; return NULL; }
void *getPluginRegistry(void) { return NULL; }
int getNvOnnxParserVersion(void) { return 0; }
int initLibNvInferPlugins(void *log, const char *name) { (void)log; (void)name; return 0; }
int getInferLibVersion(void) { return 0; }
