/* Kernels with backwards by hand, right with fault 0 or wrong in a way that kernels really are.

   The type of the arrays is DTYPE: 64 double, 32 float, 16 bfloat16, which C has no type for. Sums are taken
   in `acc`, the bfloat16 ones in float. */

#include <math.h>
#include <stdint.h>
#include <string.h>

static float rounded(float x) { /* to bfloat16, to the nearest, ties to even */
    uint32_t bits;
    memcpy(&bits, &x, 4);
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000u;
    memcpy(&x, &bits, 4);
    return x;
}

#if DTYPE == 64
typedef double T;
typedef double acc;
#define GET(x) (x)
#define PUT(x) (x)
#elif DTYPE == 32
typedef float T;
typedef float acc;
#define GET(x) (x)
#define PUT(x) (x)
#else
typedef uint16_t T;
typedef float acc;
static float GET(T x) {
    uint32_t bits = (uint32_t)x << 16;
    float y;
    memcpy(&y, &bits, 4);
    return y;
}
static T PUT(float x) {
    x = rounded(x);
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return (T)(bits >> 16);
}
#endif

enum { RIGHT, MISSING_SUM, WRONG_ROW, LAST_BLOCK, HALF, WRONG_STRIDE, IGNORE_INDEX, MEAN_OF_ALL, SHIFT, CARRY, NO_ADD };

void rms_norm_forward(const T *x, const T *w, T *y, acc *rstd, long rows, long cols) {
    for (long i = 0; i < rows; i++) {
        acc sum = 0;
        for (long j = 0; j < cols; j++)
            sum += GET(x[i * cols + j]) * GET(x[i * cols + j]);
        rstd[i] = 1 / sqrt(sum / cols + 1e-5);
        for (long j = 0; j < cols; j++)
            y[i * cols + j] = PUT(GET(x[i * cols + j]) * rstd[i] * GET(w[j]));
    }
}

void rms_norm_backward(const T *x, const T *w, const T *g, const acc *rstd, T *dx, acc *dw, long rows, long cols,
                       long fault) {
    long stride = fault == WRONG_STRIDE ? cols - 1 : cols;
    long end = fault == LAST_BLOCK ? cols / 4 * 4 : cols;
    for (long i = 0; i < rows; i++) {
        acc r = rstd[fault == WRONG_ROW ? 0 : i], c = 0;
        for (long j = 0; j < cols; j++) {
            c += GET(x[i * stride + j]) * r * GET(w[j]) * GET(g[i * cols + j]);
            if (fault == HALF)
                c = rounded(c);
        }
        c /= cols;
        for (long j = 0; j < end; j++) {
            acc hat = GET(x[i * stride + j]) * r, gj = GET(g[i * cols + j]);
            dx[i * cols + j] = PUT((GET(w[j]) * gj - hat * c) * r);
            dw[j] = (fault == MISSING_SUM ? 0 : dw[j]) + gj * hat;
        }
    }
}

void cross_entropy(const T *x, const long *labels, acc *losses, T *dx, long rows, long cols, long fault) {
    long number = 0;
    for (long i = 0; i < rows; i++)
        number += labels[i] >= 0;
    for (long i = 0; i < rows; i++) {
        const T *row = x + i * cols;
        acc top = GET(row[0]), total = 0;
        for (long j = 1; j < cols; j++)
            top = GET(row[j]) > top ? GET(row[j]) : top;
        for (long j = 0; j < cols; j++)
            total += exp(GET(row[j]) - top);
        long label = labels[i], marked = fault == WRONG_ROW ? labels[0] : label;
        losses[i] = label < 0 ? 0 : (log(total) + top - GET(row[label])) / number;
        for (long j = 0; j < cols; j++) {
            acc p = exp(GET(row[j]) - top) / total;
            acc d = label < 0 ? (fault == IGNORE_INDEX ? p : 0) : p - (j == marked);
            dx[i * cols + j] = PUT(d / (fault == MEAN_OF_ALL ? rows : number));
        }
    }
}

void scan_forward(const T *a, const T *x, acc *h, long length, long channels) {
    for (long c = 0; c < channels; c++) {
        h[c] = 0;
        for (long t = 0; t < length; t++)
            h[(t + 1) * channels + c] = GET(a[t * channels + c]) * h[t * channels + c] + GET(x[t * channels + c]);
    }
}

void scan_backward(const T *a, const acc *h, const T *g, T *da, T *dx, long length, long channels, long fault) {
    for (long c = 0; c < channels; c++) {
        acc carry = 0;
        for (long t = length - 1; t >= 0; t--) {
            if (fault == CARRY && t % 4 == 3) /* between blocks of four steps */
                carry = 0;
            acc d = GET(g[t * channels + c]) + carry;
            da[t * channels + c] = PUT(d * h[(t + (fault == SHIFT)) * channels + c]);
            dx[t * channels + c] = PUT(d);
            carry = GET(a[t * channels + c]) * d;
        }
    }
}

/* With every call the rows come in another order, as the adds of threads do: the last digits of sums change. */
static long turn = 0;

void segment_sum_forward(const T *x, const T *w, const long *segments, acc *y, long rows, long cols) {
    turn++;
    for (long k = 0; k < rows; k++) {
        long i = (k * 5 + turn) % rows; /* rows is no multiple of 5 */
        for (long j = 0; j < cols; j++)
            y[segments[i] * cols + j] += GET(w[i]) * GET(x[i * cols + j]);
    }
}

void segment_sum_backward(const T *x, const T *w, const long *segments, const T *g, T *dx, T *dw, long rows,
                          long cols, long fault) {
    turn = fault == HALF ? 0 : turn + 1;
    for (long i = 0; i < rows; i++) {
        const T *row = g + segments[fault == WRONG_ROW ? i / 2 * 2 : i] * cols;
        acc sum = 0;
        for (long k = 0; k < cols; k++) {
            long j = (k + turn) % cols;
            sum += GET(x[i * cols + j]) * GET(row[j]);
            if (fault == HALF)
                sum = rounded(sum);
            dx[i * cols + j] = PUT(GET(w[i]) * GET(row[j]));
        }
        dw[i] = PUT(sum);
    }
}

void embedding_forward(const T *table, const long *tokens, T *y, long rows, long cols) {
    for (long i = 0; i < rows; i++)
        memcpy(y + i * cols, table + tokens[i] * cols, cols * sizeof(T));
}

void embedding_backward(const long *tokens, const T *g, acc *d, long rows, long cols, long fault) {
    turn = fault == HALF ? 0 : turn + 1;
    for (long k = 0; k < rows; k++) {
        long i = (k * 5 + turn) % rows;
        for (long j = 0; j < cols; j++) {
            acc *sum = d + tokens[i] * cols + j;
            *sum = (fault == NO_ADD ? 0 : *sum) + GET(g[i * cols + j]);
            if (fault == HALF)
                *sum = rounded(*sum);
        }
    }
}
