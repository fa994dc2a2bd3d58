class Leave(SystemExit):
    def __init__(self):
        super().__init__(6)


raise Leave
