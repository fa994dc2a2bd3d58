import logging
import sys


class Counting(logging.StreamHandler):
    count = 0

    def emit(self, record):
        self.count += 1
        super().emit(record)

    def __del__(self):
        print("records", self.count)


logging.basicConfig(handlers=[Counting(sys.stdout)], level=logging.INFO, format="%(message)s")
logging.info("one")
logging.info("two")
