"""Operations on tensors: check arguments, choose layouts, run kernels, wrap results."""
