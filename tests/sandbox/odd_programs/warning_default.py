import warnings

warnings.warn("mind the gap")
print("end")
