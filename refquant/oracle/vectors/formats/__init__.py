"""Formats of the arrays of test vectors; `refquant.oracle.vectors.storage` finds the modules.

A module has ``write(folder, entry, arrays)``, which stores the arrays of a case (`entry` is its
entry in the manifest), ``read(folder, case, forms)``, which returns the arrays of a folder that is
not trusted, by names with dtypes and shapes, ``ENDING``, what follows the name of the case in the
name of the file with a backend's answer, ``ANSWER``, its description, and ``answer(path,
expected)``, which reads it.
"""
