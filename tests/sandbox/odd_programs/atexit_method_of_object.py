import atexit


class Account:
    def __init__(self):
        self.total = 0
        atexit.register(self.report)

    def report(self):
        print("total", self.total)

    def __del__(self):
        print("deleted after the report")


account = Account()
account.total += 42
