import importlib
import os

name = os.path.splitext(os.path.basename(__file__))[0]
print("running as", __name__ if __name__ == "__main__" else "a module")
if __name__ == "__main__":
    again = importlib.import_module(name)
    print(again.__name__ == name, again.__spec__.name == name)
