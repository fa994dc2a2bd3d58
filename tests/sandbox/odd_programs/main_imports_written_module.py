import pathlib
import sys

pathlib.Path("written_helper.py").write_text("print('imported as', __name__)\nvalue = 3\n")
pathlib.Path("written_package").mkdir()
pathlib.Path("written_package/__init__.py").write_text("from .inner import value\n")
pathlib.Path("written_package/inner.py").write_text("value = __name__\n")
import written_helper
import written_package

print(written_helper.value, written_package.value, written_helper.__file__.startswith(sys.path[0]))
print(pathlib.Path("__pycache__").is_dir())
