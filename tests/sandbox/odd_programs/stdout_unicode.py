print("grün ∞ 🐍 \N{BULLET}")
