exec("1 +\n")
