import os
import pathlib

os.mkdir("inner")
os.chdir("inner")
pathlib.Path("module_inside.py").write_text("value = 5\n")
try:
    import module_inside
except ImportError:
    print("sys.path[0] is the program's folder, not the current one")
