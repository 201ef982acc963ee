"""The names of the steps in which engines differ, and of the limits they may have.

A step names the one place where a rule is looked up; adding an engine means giving a rule for
each of them, adding a step means giving it to every record.
"""

STEPS = {
    "quantize_per_tensor": "float32 to integers, one scale: quantize_per_tensor",
    "copy": "float32 written into a quantized tensor",
    "quantize_per_channel": "float32 to integers, a scale for each slice along an axis",
    "dequantize_per_tensor": "integers to float32, one scale",
    "dequantize_per_channel": "integers to float32, a scale for each slice along an axis",
    "elementwise_dequantize": "operands of element-wise operations, in vectors and one by one",
    "elementwise_quantize": "results of element-wise operations, in vectors and one by one",
    "elementwise_requantize": "products and sums of integers, in vectors and one by one",
    "exponential": "e**x - 1 in elu, in vectors and one by one",
    "add": "how two tensors are added",
    "multiply": "how two tensors are multiplied",
    "add_scalar": "how a number is added when the zero point alone cannot hold it",
    "cat_dequantize": "pieces of a channels-last cat along the channels",
    "cat_quantize": "results of a channels-last cat along the channels",
    "mean": "the average over dimensions",
    "average_pool": "the average over windows of a fixed size",
    "adaptive_average_pool": "the average over windows that give an output size",
    "resize_step": "how far one pixel of the output goes in the input",
    "resize_place": "where a pixel of the output lies in the input",
    "resize_mix": "how neighbouring pixels are mixed",
    "choose_quantization_params": "scale and zero point for the input of a dynamic operation",
    "accumulator": "how the products of a linear layer or convolution are summed",
    "border": "what stands outside of an image that is convolved",
    "bias": "the bias of a linear layer or convolution to its integer sum",
    "multiplier": "the scales of input, weight and output to the factor of the sum",
    "requantize_sum": "the sum of a linear layer or convolution to integers",
    "dynamic_output": "the sum of a dynamic linear layer to float32",
}

LIMITS = {
    "broadcast": "element-wise operations on operands of different shapes",
    "mean_dimensions": "averages over other dimensions than height and width",
    "per_channel_weights": "weights with a scale for each output channel",
    "conv3d": "convolution over three dimensions",
    "dynamic_linear": "linear with float input that is quantized on the way",
    "dynamic_reduce_range": "dynamic linear with seven bits of the activation's eight",
    "float16_linear": "dynamic linear with weights in float16",
    "any_multiplier": "input scale * weight scale / output scale below 2**-32, or 1 and more",
}
