import logging

logging.warning("root warns")
logging.getLogger("other").error("other errs")
