name = input()
number = int(input("a number? "))
print(name, number)
