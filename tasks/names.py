"""File names for texts that are none."""

import hashlib


def file_name(text: str) -> str:
    """A file name for any text: what file systems and shells trip over becomes an underscore."""
    name = "".join(char if char.isalnum() or char in "-+._" else "_" for char in text).strip(".")
    return name[:80] or short_hash(text)


def short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
