"""Operations on plain tensors, each with its gradient beside it; NumPy alone."""
