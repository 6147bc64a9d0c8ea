// CUDA's execution model in C, for tests on machines without a GPU: the blocks of a grid one after
// the other, the threads of a block as fibers that take turns from one barrier to the next.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define __device__
#define __shared__ static

static struct { unsigned x; } threadIdx, blockIdx, blockDim, gridDim;

static unsigned __float_as_uint(float x) {
    unsigned bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static ucontext_t scheduler;
static ucontext_t* fibers;
static enum { RUNNING, AT_BARRIER, ENDED }* states;
static void (*body)(const void*);
static const void* arguments;

static void __syncthreads(void) {
    const unsigned t = threadIdx.x;
    states[t] = AT_BARRIER;
    swapcontext(&fibers[t], &scheduler);
}

static void fiber(void) {
    body(arguments);
    states[threadIdx.x] = ENDED;
}

static void emulate(void (*kernel)(const void*), const void* a, unsigned blocks, unsigned threads) {
    enum { STACK = 64 * 1024 };
    char* stacks = malloc((size_t)threads * STACK);
    fibers = calloc(threads, sizeof *fibers);
    states = calloc(threads, sizeof *states);
    body = kernel;
    arguments = a;
    blockDim.x = threads;
    gridDim.x = blocks;
    for (blockIdx.x = 0; blockIdx.x < blocks; blockIdx.x++) {
        for (unsigned t = 0; t < threads; t++) {
            getcontext(&fibers[t]);
            fibers[t].uc_stack.ss_sp = stacks + (size_t)t * STACK;
            fibers[t].uc_stack.ss_size = STACK;
            fibers[t].uc_link = &scheduler;
            makecontext(&fibers[t], fiber, 0);
        }
        unsigned ended = 0;
        while (ended == 0) {
            for (unsigned t = 0; t < threads; t++) {
                states[t] = RUNNING;
                threadIdx.x = t;
                swapcontext(&scheduler, &fibers[t]);
                ended += states[t] == ENDED;
            }
        }
        // On a GPU this would hang, or worse.
        if (ended != threads) {
            fprintf(stderr, "%u of %u threads missed a barrier\n", ended, threads);
            abort();
        }
    }
    free(states);
    free(fibers);
    free(stacks);
}

#define KERNEL(name, Arguments)                                                             \
    static void name##_body(const Arguments a);                                             \
    static void name##_thread(const void* a) { name##_body(*(const Arguments*)a); }         \
    void name(unsigned blocks, unsigned threads, const void* a) {                           \
        emulate(name##_thread, a, blocks, threads);                                         \
    }                                                                                       \
    static void name##_body(const Arguments a)
