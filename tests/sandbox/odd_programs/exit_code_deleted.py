class Leave(SystemExit):
    @property
    def code(self):
        raise AttributeError("no code")


raise Leave("words")
