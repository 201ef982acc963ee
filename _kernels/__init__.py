"""The kernels, compiled: ``NAME_VARIANT`` is the twin of ``refquant.reference.NAME``.

Inputs are not checked here. `refquant.kernels` chooses the variant.
"""
