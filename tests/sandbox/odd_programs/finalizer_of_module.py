import pathlib

pathlib.Path("helper_of_finalizers.py").write_text(
    "class Thing:\n    def __del__(self):\n        print('deleted with its module', NAME)\nNAME = 'helper'\nthing = Thing()\n"
)
import helper_of_finalizers

print(helper_of_finalizers.NAME)
