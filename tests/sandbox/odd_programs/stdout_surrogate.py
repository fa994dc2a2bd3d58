print("raw byte: \udcff")
