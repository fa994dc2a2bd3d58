import logging
import logging.handlers
import sys

handler = logging.handlers.MemoryHandler(100, target=logging.StreamHandler(sys.stdout))
logging.getLogger().addHandler(handler)
logging.error("flushed by logging.shutdown")
print("end")
