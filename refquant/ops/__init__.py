"""Operations on tensors: check arguments, choose layouts, call the twins, wrap results."""
