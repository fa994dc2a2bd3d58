größe = 5
名前 = "name"
ℌ = 1
print(größe, 名前, H)
