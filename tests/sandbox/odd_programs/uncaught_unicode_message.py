raise ValueError("größer als ∞ \udc80 \U0001f40d")
