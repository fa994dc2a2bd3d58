import os

os.register_at_fork(before=lambda: print("before"), after_in_parent=lambda: print("in parent"))
os.register_at_fork(after_in_child=lambda: print("in child"))
child = os.fork()
if child:
    os.waitpid(child, 0)
