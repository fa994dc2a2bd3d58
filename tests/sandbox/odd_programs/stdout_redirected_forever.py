import contextlib
import io

contextlib.redirect_stdout(io.StringIO()).__enter__()
print("never seen")
