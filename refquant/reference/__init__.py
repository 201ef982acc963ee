"""The definitions: every operation as NumPy array expressions, written to be read.

Each module here has a kernel of the same name in ``_kernels/``; both have the same functions with
the same parameters and give the same bits. They take contiguous arrays, plain numbers and
the records of `refquant.reference.operands`, and check nothing: that is done by `refquant.ops`.
"""
