print("lone: \ud800")
