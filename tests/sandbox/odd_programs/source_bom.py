print("with a mark", "grün")
