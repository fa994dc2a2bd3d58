#!/usr/bin/env python3
# -*- coding: utf-8 -*-
print("with a shebang and a cookie", "grün")
