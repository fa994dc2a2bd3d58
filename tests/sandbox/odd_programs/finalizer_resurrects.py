saved = []


class Phoenix:
    def __del__(self):
        print("burning")
        saved.append(self)


phoenix = Phoenix()
del phoenix
print(len(saved))
