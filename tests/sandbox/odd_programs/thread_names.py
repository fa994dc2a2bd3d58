import threading

print(threading.current_thread().name, threading.active_count(), threading.main_thread() is threading.current_thread())
threads = [threading.Thread(target=print) for _ in range(3)]
print([thread.name for thread in threads])
print(threading.main_thread().ident == threading.get_ident(), threading.main_thread().daemon)
