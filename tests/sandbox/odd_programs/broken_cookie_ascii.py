# -*- coding: ascii -*-
print("grün")
