/* Runs the network of network.h: int8 images from standard input, results to standard output. */
#include <stdio.h>

#include "network.h"

/* Multiply by m / 2^31 and by 2^shift: rounded up after 31 bits, away from zero after the rest. */
static int32_t scaled(int32_t sum, int32_t m, int32_t shift)
{
    int left = shift > 0 ? shift : 0, right = shift < 0 ? -shift : 0;
    int64_t product = (int64_t)sum * ((int64_t)1 << left) * m + ((int64_t)1 << 30);
    int32_t high = (int32_t)(product >> 31), mask = (int32_t)(((int64_t)1 << right) - 1);
    return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0));
}

static int8_t bounded(const struct layer *l, int32_t value)
{
    return (int8_t)(value < l->lower ? l->lower : value > l->upper ? l->upper : value);
}

/* One result: the sum or the maximum of what a window covers; the border of a sum is zero. */
static int8_t result(const struct layer *l, const int8_t *in, int row, int column, int output)
{
    int depth = l->kind == PRODUCT ? l->channels / l->groups : 1;
    int first = l->kind == PRODUCT ? output / (l->outputs / l->groups) * depth : output;
    int32_t sum = l->kind == PRODUCT ? l->bias[output] : INT8_MIN;
    for (int i = 0; i < l->lines; i++)
        for (int j = 0; j < l->columns; j++) {
            int y = row * l->stride_down - l->top + i * l->dilation_down;
            int x = column * l->stride_right - l->left + j * l->dilation_right;
            if (y < 0 || x < 0 || y >= l->height || x >= l->width)
                continue;
            for (int k = 0; k < depth; k++) {
                int32_t value = in[(y * l->width + x) * l->channels + first + k];
                if (l->kind == MAXIMUM)
                    sum = value > sum ? value : sum;
                else
                    sum += (value - l->input_zero) *
                           l->weights[((output * l->lines + i) * l->columns + j) * depth + k];
            }
        }
    if (l->kind == PRODUCT)
        sum = scaled(sum, l->multipliers[output], l->shifts[output]) + l->zero;
    return bounded(l, sum);
}

int main(void)
{
    static int8_t store[2][LARGEST];
    const struct layer *first = layers, *last = layers + LAYERS - 1;
    size_t size = (size_t)(first->height * first->width * first->channels);
    size_t count = (size_t)(last->out_height * last->out_width * last->outputs);
    while (fread(store[0], 1, size, stdin) == size) {
        int now = 0;
        for (const struct layer *l = first; l <= last; l++, now = !now)
            for (int y = 0; y < l->out_height; y++)
                for (int x = 0; x < l->out_width; x++)
                    for (int k = 0; k < l->outputs; k++)
                        if (l->kind == MOVE)
                            store[!now][(k * l->height + y) * l->width + x] =
                                store[now][(y * l->width + x) * l->channels + k];
                        else
                            store[!now][(y * l->out_width + x) * l->outputs + k] =
                                result(l, store[now], y, x, k);
        if (fwrite(store[now], 1, count, stdout) != count)
            return 1;
    }
    return ferror(stdin) != 0;
}
