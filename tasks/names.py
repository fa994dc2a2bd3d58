"""File names for texts that are none."""

import hashlib

LONGEST = 80  # bytes; file systems take 255


def file_name(text: str) -> str:
    """Return a file name for any text: what file systems and shells trip over becomes an underscore."""
    name = "".join(char if char.isalnum() or char in "-+._" else "_" for char in text).strip(".")
    encoded = name.encode("utf-8", "replace")
    if len(encoded) > LONGEST:
        return f"{encoded[:LONGEST].decode('utf-8', 'ignore')}-{short_hash(text)}"
    return name or short_hash(text)


def short_hash(text: str) -> str:
    """Return eight characters that tell texts apart."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:8]
