exec("def f():\n    raise ValueError('inside')\nf()\n")
