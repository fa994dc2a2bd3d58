import locale

print(locale.getlocale(locale.LC_CTYPE), locale.setlocale(locale.LC_ALL), locale.getpreferredencoding())
with open("text.txt", "w") as file:
    print(file.encoding)
