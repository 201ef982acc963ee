"""From a float model to a quantized one: fuse, prepare, calibrate, convert.

The documented names are those of `refquant.quantization`.
"""
