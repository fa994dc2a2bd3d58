import importlib
import json

print(importlib.reload(json) is json, json.dumps([1]))
