text = "\N{no such character}"
