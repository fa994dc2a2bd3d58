import threading

turns = [threading.Semaphore(number == 0) for number in range(4)]


def work(number):
    for _ in range(3):
        turns[number].acquire()
        print(number, end=" ")
        turns[(number + 1) % 4].release()


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print()
