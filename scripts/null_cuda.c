// CUDA's runtime, as far as ONNX Runtime asks it while it creates a session, on a machine without a GPU:
// one device of compute capability 9.0, whose memory is the host's and which computes nothing. What is
// not here, cuda-nodes.sh adds as functions that do nothing and report success. Zero is success.
#include <stdlib.h>
#include <string.h>

enum { NO_DEVICE = 100 };  // cudaErrorNoDevice

int cudaGetDeviceCount(int *count) { return *count = 1, 0; }

int cudaGetDevice(int *device) { return *device = 0, 0; }

// Of struct cudaDeviceProp, `major` and `minor` alone, which CUDA 12 and 13 have at byte 360.
int cudaGetDeviceProperties(char *properties) {
  const int capability[] = {9, 0};
  memset(properties, 0, 360);
  memcpy(properties + 360, capability, sizeof capability);
  return 0;
}

int cudaMemGetInfo(size_t *free, size_t *total) { return *free = *total = (size_t)16 << 30, 0; }

int cudaMalloc(void **memory, size_t bytes) { return posix_memalign(memory, 256, bytes); }

int cudaHostAlloc(void **memory, size_t bytes) { return cudaMalloc(memory, bytes); }

int cudaFree(void *memory) { return free(memory), 0; }

int cudaFreeHost(void *memory) { return cudaFree(memory); }

int cudaMemcpy(void *to, const void *from, size_t bytes) { return memcpy(to, from, bytes), 0; }

int cudaMemcpyAsync(void *to, const void *from, size_t bytes) { return cudaMemcpy(to, from, bytes); }

int cudaMemset(void *memory, int value, size_t bytes) { return memset(memory, value, bytes), 0; }

int cudaMemsetAsync(void *memory, int value, size_t bytes) { return cudaMemset(memory, value, bytes); }

int cudaLaunchKernel(void) { return NO_DEVICE; }

const char *cudaGetErrorName(void) { return "cudaErrorNoDevice"; }

const char *cudaGetErrorString(void) { return "there is no GPU: CUDA's libraries are stand-ins"; }
