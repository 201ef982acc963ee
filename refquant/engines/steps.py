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
    "add": "how two tensors are added",
    "multiply": "how two tensors are multiplied",
    "add_scalar": "how a number is added when the zero point alone cannot hold it",
    "cat_dequantize": "pieces of a channels-last cat along the channels",
    "cat_quantize": "results of a channels-last cat along the channels",
    "mean": "the average over dimensions",
    "choose_quantization_params": "scale and zero point for the input of a dynamic operation",
}

LIMITS = {
    "broadcast": "element-wise operations on operands of different shapes",
    "mean_dimensions": "averages over other dimensions than height and width",
    "per_channel_weights": "weights with a scale for each output channel",
}
