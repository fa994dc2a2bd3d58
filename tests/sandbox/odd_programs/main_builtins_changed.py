import builtins

builtins.answer = 42
builtins.len = lambda thing: -1
print(answer, len([]), __builtins__.answer)
