"""Operations on plain tensors: NumPy and BLAS, each with its gradient beside it."""
