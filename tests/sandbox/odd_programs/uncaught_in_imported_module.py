import pathlib

pathlib.Path("broken_helper.py").write_text("def f():\n    raise OSError(2, 'made up')\nf()\n")
import broken_helper
