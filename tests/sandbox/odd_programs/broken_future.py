print("never")
from __future__ import annotations
