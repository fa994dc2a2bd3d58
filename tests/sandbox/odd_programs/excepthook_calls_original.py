import sys


def hook(*arguments):
    print("mine first")
    sys.__excepthook__(*arguments)


sys.excepthook = hook
raise ValueError("then the usual")
