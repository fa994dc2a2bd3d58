import logging
import sys

logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(funcName)s %(lineno)d %(message)s")
logging.warning("here")
logging.warning("with a stack", stack_info=False)
try:
    1 // 0
except ZeroDivisionError:
    logging.exception("caught", exc_info=False)
