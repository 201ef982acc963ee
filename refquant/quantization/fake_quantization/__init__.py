"""Modules of fake quantization: the common one, the fused one, fixed and learned parameters."""
