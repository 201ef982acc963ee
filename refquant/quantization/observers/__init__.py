"""Observers: modules that record statistics of tensors and choose scale and zero point."""
