print("before")
exit(2)
