import os
import sys

print([type(finder).__name__ for finder in sys.meta_path[-3:]], [str(hook).split()[0] for hook in sys.path_hooks])
print(os.getcwd() in sys.path_importer_cache, "" in sys.path)
