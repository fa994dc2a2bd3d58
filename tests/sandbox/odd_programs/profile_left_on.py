import sys


def profile(frame, event, argument):
    if event == "call":
        seen.append(frame.f_code.co_name)


def function():
    return 1


seen = []
sys.setprofile(profile)
function()
print(seen)
