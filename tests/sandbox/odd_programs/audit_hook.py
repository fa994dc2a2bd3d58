import sys

seen = []
sys.addaudithook(lambda event, arguments: seen.append(event) if event == "open" else None)
open("audited.txt", "w").close()
print(seen)
