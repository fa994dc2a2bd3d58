errors = []
for text in ("x", "y"):
    try:
        int(text)
    except ValueError as error:
        errors.append(error)
raise ExceptionGroup("several", [*errors, ExceptionGroup("inner", [KeyError("k")])])
