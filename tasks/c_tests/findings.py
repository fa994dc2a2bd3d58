"""What a sanitizer reported, in one line that is the same in every run: no addresses, no process numbers.

And what a compiler complained of, in one line.
"""

import re
from pathlib import PurePosixPath

_FRAME = re.compile(r"^ *#\d+ .* in (?P<function>[\w.]+) (?P<file>.*?):(?P<line>\d+)(?::\d+)?$", re.MULTILINE)
_ADDRESS = re.compile(r"ERROR: AddressSanitizer:? (?P<what>.+)$", re.MULTILINE)
_ACCESS = re.compile(r"^(?P<what>READ|WRITE) of size \d+", re.MULTILINE)
_BEHAVIOUR = re.compile(r":(?P<line>\d+):\d+: runtime error: (?P<what>.+)$", re.MULTILINE)
_PARTICULARS = re.compile(r" on (?:unknown )?address .*| \(pc .*|:? memory ranges .*|: \(.*")
_ERROR = re.compile(r"^(?!collect2:).*(?:error: |undefined reference to |multiple definition of ).*$", re.MULTILINE)
_POINTER = re.compile(r"0x[0-9a-f]+")


def finding(report: bytes, file: str) -> str:
    """Return what was found, and where in the program of that file."""
    said = report.decode("utf-8", "replace")
    behaviour = _BEHAVIOUR.search(said)
    if behaviour is not None:
        return f"UndefinedBehaviorSanitizer: {without_addresses(behaviour['what'])}, in line {behaviour['line']}"
    address = _ADDRESS.search(said)
    if address is None:
        return "a sanitizer ended the program"
    what = without_addresses(_PARTICULARS.sub("", address["what"]))
    access = _ACCESS.search(said, address.end())
    own = PurePosixPath(file).name  # the first frames may be those of scanf and strcpy
    frames = [frame for frame in _FRAME.finditer(said, address.end()) if PurePosixPath(frame["file"]).name == own]
    where = f", in {frames[0]['function']}, line {frames[0]['line']}" if frames else ""
    return f"AddressSanitizer: {what}{', a ' + access['what'].lower() if access else ''}{where}"


def without_addresses(text: str) -> str:
    """Return a text in which every address is the same."""
    return _POINTER.sub("0x…", text)


def first_error(text: str) -> str:
    """Return the line of a compiler's or a linker's complaint that names the first error; its first line without one.

    Before it they say in which function, after it that there was one.
    """
    error = _ERROR.search(text)
    return error[0].strip() if error else text.strip().split("\n")[0]
