print("never")
x = "grün"
