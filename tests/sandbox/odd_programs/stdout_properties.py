import sys

for file in (sys.stdin, sys.stdout, sys.stderr):
    print(file.name, file.mode, file.encoding, file.errors, file.newlines, file.fileno(), file.isatty())
    print(file.line_buffering, file.write_through, file.seekable(), file.readable(), file.writable())
    print(type(file.buffer).__name__, file.buffer.raw.closefd, file.buffer.raw._blksize)
