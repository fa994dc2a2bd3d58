# -*- coding: latin-1 -*-
print("grün", ascii("é"))
