"""Operations on quantized tensors: check arguments, ask the engine for rules, call the twins."""
