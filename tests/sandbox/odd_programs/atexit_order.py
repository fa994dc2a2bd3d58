import atexit

for number in range(3):
    atexit.register(print, "callback", number)
print("main")
