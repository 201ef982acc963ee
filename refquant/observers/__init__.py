"""Modules that watch tensors and choose quantizers for them; fake quantization; QConfig."""
