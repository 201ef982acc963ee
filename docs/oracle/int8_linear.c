/* An int8 linear layer in C for one case of `refquant vectors linear --neutral --format c`:
   cc -I vectors -DCASE='"ties-z13.h"' int8_linear.c -o int8_linear -lm
   ./int8_linear > answers/ties-z13.output.txt */
#include <math.h>
#include <stdio.h>
#include CASE

/* sum * multiplier, the multiplier as an integer of 31 bits and a shift; rounded twice */
static int64_t scaled(int64_t sum, double multiplier)
{
    int shift;
    int64_t q = llround(frexp(multiplier, &shift) * 2147483648.0);
    int64_t high = ((shift > 0 ? sum << shift : sum) * q + (1LL << 30)) >> 31;
    int64_t mask = shift < 0 ? (1LL << -shift) - 1 : 0;
    return (shift < 0 ? high >> -shift : high) + ((high & mask) > (mask >> 1) + (high < 0));
}

int main(void)
{
    int depth = weight_shape[1], outputs = weight_shape[0];
    double multiplier = x_scale * weight_scale / output_scale;

    for (int row = 0; row < x_size / depth; row++) {
        for (int output = 0; output < outputs; output++) {
            int32_t sum = 0;
#if HAS_bias
            sum = bias[output];
#endif
            for (int k = 0; k < depth; k++)
                sum += (x[row * depth + k] - x_zero_point) * weight[output * depth + k];
            int64_t code = scaled(sum, multiplier) + output_zero_point;
            code = code < output_lower ? output_lower : code;
            printf("%d ", (int)(code > output_upper ? output_upper : code));
        }
    }
    printf("\n");
    return 0;
}
