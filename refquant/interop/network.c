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

/* Add two integers, with 20 more bits until the last rounding. */
static int8_t sum(const struct layer *l, int8_t a, int8_t b)
{
    int32_t first = scaled((a - l->input_zero) * (1 << 20), l->multipliers[0], l->shifts[0]);
    int32_t second = scaled((b - l->other_zero) * (1 << 20), l->multipliers[1], l->shifts[1]);
    return bounded(l, scaled(first + second, l->multipliers[2], l->shifts[2]) + l->zero);
}

/* Add, average or compare what a window covers; a border adds nothing. */
static int8_t window(const struct layer *l, const int8_t *in, int row, int column, int output)
{
    int depth = l->kind == PRODUCT ? l->channels / l->groups : 1;
    int first = l->kind == PRODUCT ? output / (l->outputs / l->groups) * depth : output;
    int32_t total = l->kind == PRODUCT ? l->bias[output] : l->kind == MAXIMUM ? INT8_MIN : 0;
    int count = 0;
    for (int i = 0; i < l->lines; i++)
        for (int j = 0; j < l->columns; j++) {
            int y = row * l->stride_down - l->top + i * l->dilation_down;
            int x = column * l->stride_right - l->left + j * l->dilation_right;
            if (y < 0 || x < 0 || y >= l->height || x >= l->width)
                continue;
            for (int k = 0; k < depth; k++, count++) {
                int32_t value = in[(y * l->width + x) * l->channels + first + k];
                if (l->kind == PRODUCT)
                    total += (value - l->input_zero) *
                             l->weights[((output * l->lines + i) * l->columns + j) * depth + k];
                else if (l->kind == MAXIMUM)
                    total = value > total ? value : total;
                else
                    total += l->kind == MEAN ? value - l->input_zero : value;
            }
        }
    if (l->kind == AVERAGE)
        total = (total + (total > 0 ? count / 2 : -(count / 2))) / count;
    if (l->kind == PRODUCT || l->kind == MEAN)
        total = scaled(total, l->multipliers[output], l->shifts[output]) + l->zero;
    return bounded(l, total);
}

static void run(const struct layer *l, const int8_t *in, const int8_t *other, int8_t *out)
{
    int at = 0;
    for (int y = 0; y < l->out_height; y++)
        for (int x = 0; x < l->out_width; x++)
            for (int k = 0; k < l->outputs; k++, at++)
                if (l->kind == MOVE)
                    out[(k * l->height + y) * l->width + x] = in[at];
                else
                    out[at] = l->kind == SUM ? sum(l, in[at], other[at]) : window(l, in, y, x, k);
}

int main(void)
{
    static int8_t store[SLOTS][LARGEST];
    while (fread(store[FED], 1, INPUTS, stdin) == INPUTS) {
        for (const struct layer *l = layers; l < layers + LAYERS; l++)
            run(l, store[l->in], store[l->other], store[l->out]);
        if (fwrite(store[RESULT], 1, OUTPUTS, stdout) != OUTPUTS)
            return 1;
    }
    return ferror(stdin) != 0;
}
