import warnings

warnings.warn("from nowhere", stacklevel=2)
