print(input())
try:
    input("more? ")
except EOFError as error:
    print("end:", error)
input()
