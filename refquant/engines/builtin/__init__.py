"""Records of the engines that are built in: each module lists its own as ``ENGINES``.

`refquant.engines.registry` finds the modules by itself, so a new runtime that is made of known
rules is one new module.
"""
