import io
import pdb

value = 5
pdb.Pdb(stdout=io.StringIO()).set_trace()
print("after", value)
