import traceback

try:
    {}["key"]
except KeyError:
    text = traceback.format_exc()
    print(text.replace(__file__, "FILE"))
