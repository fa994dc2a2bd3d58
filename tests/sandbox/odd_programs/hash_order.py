words = {"apple", "banana", "cherry", "date", "elderberry"}
print(list(words), hash("text"), sorted(words, key=hash))
