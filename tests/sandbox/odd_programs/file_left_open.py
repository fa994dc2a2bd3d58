file = open("out.txt", "w")
file.write("not flushed by hand")
print("end")
