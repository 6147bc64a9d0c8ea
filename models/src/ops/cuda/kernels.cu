// Kernels for NVIDIA GPUs: what Candle lacks, or would take many launches for. All numbers are
// float32, but for the factors of matrix products, which may be bfloat16; the products are cuBLAS's.
//
// A kernel takes one struct: the tensors, then whole numbers, then others, in the order in which
// mod.rs passes them. Letters: N batch, C channels, P pixels of a plane (1 for vectors), H and W
// its sides. Loops stride over the grid, so any number of blocks computes the same.
//
// Without a GPU the tests compile this file as C, with emulator.h in place of CUDA.

#ifdef __CUDACC__
#define KERNEL(name, Arguments) extern "C" __global__ void name(const Arguments a)
#else
#include "emulator.h"
#endif

// Threads of a block, as mod.rs launches them.
#define THREADS 256
#define EACH(i, n) for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += gridDim.x * blockDim.x)

typedef unsigned int u32;
typedef unsigned short u16;

// ---- activation functions ---------------------------------------------------------------------

enum { IDENTITY, RELU, LEAKY_RELU, SIGMOID, TANH };

typedef struct {
    u32 function;
    float slope;
} Activation;

__device__ static float apply(const Activation f, float x) {
    switch (f.function) {
        case RELU: return fmaxf(x, 0.f);
        case LEAKY_RELU: return x > 0.f ? x : f.slope * x;
        case SIGMOID: return 1.f / (1.f + expf(-x));
        case TANH: return tanhf(x);
        default: return x;
    }
}

// The derivative, from y = f(x): each of these functions has its slope written in its value.
__device__ static float slope_at(const Activation f, float y) {
    switch (f.function) {
        case RELU: return y > 0.f ? 1.f : 0.f;
        case LEAKY_RELU: return y > 0.f ? 1.f : f.slope;
        case SIGMOID: return y * (1.f - y);
        case TANH: return 1.f - y * y;
        default: return 1.f;
    }
}

// y = f(x)
typedef struct {
    float* y;
    const float* x;
    u32 count;
    Activation f;
} ActivationForward;

KERNEL(activation, ActivationForward) {
    EACH(i, a.count) a.y[i] = apply(a.f, a.x[i]);
}

// dx = dy · f′(x)
typedef struct {
    float* dx;
    const float *y, *dy;
    u32 count;
    Activation f;
} ActivationBack;

KERNEL(activation_back, ActivationBack) {
    EACH(i, a.count) a.dx[i] = a.dy[i] * slope_at(a.f, a.y[i]);
}

// ---- layouts around a matrix product ----------------------------------------------------------

// The bits of the nearest bfloat16, ties to even: the upper half of a float32.
__device__ static u16 bfloat16(float x) {
    const u32 bits = __float_as_uint(x);
    return x != x ? 0x7fc0 : (u16)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// Factor i of a product: a bfloat16 if they are rounded, else a float32.
__device__ static void put(void* factors, u32 i, float x, u32 rounded) {
    if (rounded) ((u16*)factors)[i] = bfloat16(x);
    else ((float*)factors)[i] = x;
}

// The same numbers as bfloat16.
typedef struct {
    u16* y;
    const float* x;
    u32 count;
} Rounded;

KERNEL(rounded, Rounded) {
    EACH(i, a.count) a.y[i] = bfloat16(a.x[i]);
}

// Channels last, with the one-hot label behind them: x (N, C, P) → rows (N·P, C + classes).
typedef struct {
    void* rows;
    const float* x;
    const u32* label;
    u32 N, C, P, classes, rounded;
} Rows;

KERNEL(rows, Rows) {
    const u32 columns = a.C + a.classes;
    EACH(i, a.N * a.P * columns) {
        const u32 c = i % columns, p = i / columns % a.P, n = i / columns / a.P;
        const float value = c < a.C ? a.x[(n * a.C + c) * a.P + p] : (float)(a.label[n] == c - a.C);
        put(a.rows, i, value, a.rounded);
    }
}

// Channels first, the bias added: rows (N·P, columns) → y (N, C, P); columns beyond C are dropped.
typedef struct {
    float* y;
    const float *rows, *bias;
    u32 N, C, P, columns, biased;
} Planes;

KERNEL(planes, Planes) {
    EACH(i, a.N * a.C * a.P) {
        const u32 p = i % a.P, c = i / a.P % a.C, n = i / a.P / a.C;
        a.y[i] = a.rows[(n * a.P + p) * a.columns + c] + (a.biased ? a.bias[c] : 0.f);
    }
}

// How a kernel of K×K moves over a picture of H×W, and the grid of its positions.
typedef struct {
    u32 H, W, K, stride, top, left, rows, columns;
} Window;

// unfold: x (N, C, H, W), with the label's constant planes behind its channels, →
// rows (N·grid, (C + classes)·K·K). Positions outside the picture are zeros, the label's too.
typedef struct {
    void* rows;
    const float* x;
    const u32* label;
    u32 N, C, classes, rounded;
    Window w;
} Unfold;

KERNEL(unfold, Unfold) {
    const Window w = a.w;
    const u32 taps = w.K * w.K, channels = a.C + a.classes, points = w.rows * w.columns;
    EACH(i, a.N * points * channels * taps) {
        const u32 kx = i % w.K, ky = i / w.K % w.K, c = i / taps % channels;
        const u32 point = i / taps / channels;
        const u32 gx = point % w.columns, gy = point / w.columns % w.rows, n = point / points;
        // Beyond the top or left these wrap around to huge numbers, which are outside as well.
        const u32 y = gy * w.stride + ky - w.top, x = gx * w.stride + kx - w.left;
        float value = 0.f;
        if (y < w.H && x < w.W) {
            value = c < a.C ? a.x[((n * a.C + c) * w.H + y) * w.W + x] : (float)(a.label[n] == c - a.C);
        }
        put(a.rows, i, value, a.rounded);
    }
}

// fold: rows (N·grid, row), of which the first C·K·K columns count, → y (N, C, H, W), the bias
// added. Each pixel gathers what the positions over it hold: no atomic additions.
typedef struct {
    float* y;
    const float *rows, *bias;
    u32 N, C, row, biased;
    Window w;
} Fold;

KERNEL(fold, Fold) {
    const Window w = a.w;
    EACH(i, a.N * a.C * w.H * w.W) {
        const u32 x = i % w.W + w.left, y = i / w.W % w.H + w.top;
        const u32 c = i / w.W / w.H % a.C, n = i / w.W / w.H / a.C;
        float sum = a.biased ? a.bias[c] : 0.f;
        for (u32 ky = y % w.stride; ky < w.K && ky <= y; ky += w.stride) {
            const u32 gy = (y - ky) / w.stride;
            if (gy >= w.rows) continue;
            for (u32 kx = x % w.stride; kx < w.K && kx <= x; kx += w.stride) {
                const u32 gx = (x - kx) / w.stride;
                if (gx >= w.columns) continue;
                sum += a.rows[((n * w.rows + gy) * w.columns + gx) * a.row + (c * w.K + ky) * w.K + kx];
            }
        }
        a.y[i] = sum;
    }
}

// ---- sums over a channel, and batch norm ------------------------------------------------------

// A block sums `width` channels side by side: for vectors, whose channels are neighbours in
// memory, 32; for planes 1. Thread t takes channel t % width, and every (THREADS / width)th number.

// The sum over the block's threads of one channel. Every thread must come here.
__device__ static float block_sum(float* scratch, float value, u32 width) {
    const u32 t = threadIdx.x;
    scratch[t] = value;
    __syncthreads();
    for (u32 half = blockDim.x / 2; half >= width; half /= 2) {
        if (t < half) scratch[t] += scratch[t + half];
        __syncthreads();
    }
    const float sum = scratch[t % width];
    __syncthreads();
    return sum;
}

#define CHANNEL (blockIdx.x * a.width + threadIdx.x % a.width)
#define EACH_OF_CHANNEL(j) \
    for (u32 j = threadIdx.x / a.width; CHANNEL < a.C && j < a.N * a.P; j += blockDim.x / a.width)
// Number j of channel c, of N·P.
#define AT(c, j) ((((j) / a.P) * a.C + (c)) * a.P + (j) % a.P)
// The thread that writes a channel's sum.
#define WRITES (threadIdx.x < a.width && CHANNEL < a.C)

// Σ x over N and P: (N, C, P) → (C)
typedef struct {
    float* sums;
    const float* x;
    u32 N, C, P, width;
} ChannelSums;

KERNEL(channel_sums, ChannelSums) {
    __shared__ float scratch[THREADS];
    const u32 c = CHANNEL;
    float sum = 0.f;
    EACH_OF_CHANNEL(j) sum += a.x[AT(c, j)];
    sum = block_sum(scratch, sum, a.width);
    if (WRITES) a.sums[c] = sum;
}

// Mean, variance and unbiased variance over N and P: (N, C, P) → (3, C)
typedef struct {
    float* statistics;
    const float* x;
    u32 N, C, P, width;
} Statistics;

KERNEL(statistics, Statistics) {
    __shared__ float scratch[THREADS];
    const u32 c = CHANNEL;
    const float count = (float)(a.N * a.P);
    float sum = 0.f;
    EACH_OF_CHANNEL(j) sum += a.x[AT(c, j)];
    const float mean = block_sum(scratch, sum, a.width) / count;
    float squares = 0.f;
    EACH_OF_CHANNEL(j) {
        const float d = a.x[AT(c, j)] - mean;
        squares += d * d;
    }
    squares = block_sum(scratch, squares, a.width);
    if (WRITES) {
        a.statistics[c] = mean;
        a.statistics[a.C + c] = squares / count;
        a.statistics[2 * a.C + c] = squares / fmaxf(count - 1.f, 1.f);
    }
}

// y = f(weight · (x − mean) / √(variance + ε) + bias)
typedef struct {
    float* y;
    const float *x, *mean, *variance, *weight, *bias;
    u32 N, C, P;
    Activation f;
    float epsilon;
} Norm;

KERNEL(norm_forward, Norm) {
    EACH(i, a.N * a.C * a.P) {
        const u32 c = i / a.P % a.C;
        const float scale = a.weight[c] / sqrtf(a.variance[c] + a.epsilon);
        a.y[i] = apply(a.f, (a.x[i] - a.mean[c]) * scale + a.bias[c]);
    }
}

// Σ d and Σ d·x̂, where d = dy · f′: the gradients of bias and weight, (2, C).
typedef struct {
    float* sums;
    const float *x, *y, *dy, *mean, *variance;
    u32 N, C, P, width;
    Activation f;
    float epsilon;
} NormBackSums;

KERNEL(norm_back_sums, NormBackSums) {
    __shared__ float scratch[THREADS];
    const u32 c = CHANNEL;
    float bias = 0.f, weight = 0.f;
    EACH_OF_CHANNEL(j) {
        const u32 i = AT(c, j);
        const float d = a.dy[i] * slope_at(a.f, a.y[i]);
        bias += d;
        weight += d * (a.x[i] - a.mean[c]);
    }
    bias = block_sum(scratch, bias, a.width);
    weight = block_sum(scratch, weight, a.width);
    if (WRITES) {
        a.sums[c] = bias;
        a.sums[a.C + c] = weight / sqrtf(a.variance[c] + a.epsilon);
    }
}

// dx = weight/σ · (d − Σd/n − x̂·Σ(d·x̂)/n)
typedef struct {
    float* dx;
    const float *x, *y, *dy, *mean, *variance, *weight, *sums;
    u32 N, C, P;
    Activation f;
    float epsilon;
} NormBack;

KERNEL(norm_back, NormBack) {
    const float count = (float)(a.N * a.P);
    EACH(i, a.N * a.C * a.P) {
        const u32 c = i / a.P % a.C;
        const float inverse = 1.f / sqrtf(a.variance[c] + a.epsilon);
        const float d = a.dy[i] * slope_at(a.f, a.y[i]);
        const float normalised = (a.x[i] - a.mean[c]) * inverse;
        a.dx[i] = a.weight[c] * inverse * (d - (a.sums[c] + normalised * a.sums[a.C + c]) / count);
    }
}

// ---- parameters, changed in place -------------------------------------------------------------

// Numbers that change from iteration to iteration come as values, or, if `changes`, from the device:
// a graph keeps the values that it was recorded with.

// old += take · (new − old)
typedef struct {
    float* old;
    const float *target, *changing;
    u32 count, changes;
    float take;
} Blend;

KERNEL(blend, Blend) {
    const float take = a.changes ? a.changing[0] : a.take;
    EACH(i, a.count) a.old[i] += take * (a.target[i] - a.old[i]);
}

// One step of Adam along the sum of two gradients; of one, if `both` is 0.
typedef struct {
    float *p, *m, *v;
    const float *gradient, *second, *changing;
    u32 count, both, changes;
    float step, root, beta1, beta2, epsilon;
} Adam;

KERNEL(adam, Adam) {
    const float step = a.changes ? a.changing[0] : a.step, root = a.changes ? a.changing[1] : a.root;
    EACH(i, a.count) {
        const float g = a.gradient[i] + (a.both ? a.second[i] : 0.f);
        const float m = a.m[i] + (1.f - a.beta1) * (g - a.m[i]);
        const float v = a.v[i] + (1.f - a.beta2) * (g * g - a.v[i]);
        a.m[i] = m;
        a.v[i] = v;
        a.p[i] -= step * m / (sqrtf(v) * root + a.epsilon);
    }
}
