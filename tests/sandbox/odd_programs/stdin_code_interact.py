import code

code.interact(banner="", exitmsg="done")
