numbers = [0] * (1 << 60)
