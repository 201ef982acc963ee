"""Test vectors with declared coverage: made, written, read back, and graded."""
