exec("def added(x):\n    return x + 1")
print(added(1), eval("added(2)"), locals() is globals())
