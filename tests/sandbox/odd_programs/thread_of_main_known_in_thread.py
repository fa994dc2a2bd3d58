import threading

thread = threading.Thread(target=lambda: print(threading.main_thread().is_alive(), threading.active_count()))
thread.start()
thread.join()
