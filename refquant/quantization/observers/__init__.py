"""Modules that watch a tensor and choose scale and zero point."""
