import json

NAMES = {"a": 1}


def described():
    return json.dumps(NAMES)


class Thing:
    def __del__(self):
        print(described())


thing = Thing()
