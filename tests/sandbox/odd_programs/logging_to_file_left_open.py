import logging

logging.basicConfig(filename="log.txt", level=logging.DEBUG)
logging.debug("one")
print(len(open("log.txt").read()) > 0)
