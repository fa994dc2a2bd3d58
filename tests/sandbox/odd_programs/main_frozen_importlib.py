import importlib.util

spec = importlib.util.find_spec("json")
print(spec.name, spec.has_location, importlib.util.find_spec("no_such_module"))
