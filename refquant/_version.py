"""The version, in the only place; the build reads it here."""

__version__ = "0.1.0"
