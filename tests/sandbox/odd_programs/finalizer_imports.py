class Thing:
    def __del__(self):
        print("importing")
        import textwrap

        print("imported", textwrap.__name__)


thing = Thing()
