"""Test vectors with measured coverage: generated, saved, loaded, and used to grade backends."""
