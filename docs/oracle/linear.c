/* A linear layer in C for one case of `refquant vectors linear --format c`, whose weight has one scale:
   cc -I vectors -DCASE='"ties-0.5-z100.h"' linear.c -o linear -lm
   ./linear > answers/ties-0.5-z100.output.txt */
#include <math.h>
#include <stdio.h>
#include CASE

int main(void)
{
    int depth = weight_shape[1], outputs = weight_shape[0];
    int rows = depth ? input_size / depth : 0;
    float factor = (float)input_scale * (float)weight_scale;
    float multiplier = factor / (float)scale;

    for (int row = 0; row < rows; row++) {
        for (int output = 0; output < outputs; output++) {
            int32_t sum = 0;
            for (int k = 0; k < depth; k++)
                sum += (input[row * depth + k] - input_zero_point)
                       * (weight[output * depth + k] - weight_zero_point);
            float total = (float)sum;
#if HAS_bias
            total = fmaf(bias[output], 1.0f / factor, total);
#endif
            float steps = rintf(total * multiplier) + (float)zero_point;
            printf("%d ", (int)fminf(fmaxf(steps, 0.0f), 255.0f));
        }
    }
    printf("\n");
    return 0;
}
