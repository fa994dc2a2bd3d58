import io
import sys

kept, sys.stdout = sys.stdout, io.StringIO()
print("into a string")
text = sys.stdout.getvalue()
sys.stdout = kept
print(text.upper())
