"""The version, in one place for the package, the wheel and the health endpoint."""

__version__ = "0.1.0"
