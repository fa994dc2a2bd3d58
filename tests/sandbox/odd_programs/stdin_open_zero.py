numbers = [int(line) for line in open(0)]
print(sum(numbers))
