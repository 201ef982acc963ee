"""Joining convolution, batch normalization and ReLU, which quantization treats as one."""
