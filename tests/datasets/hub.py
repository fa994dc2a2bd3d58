"""A Hugging Face hub on loopback that speaks as much of the hub's API as the `datasets` library asks for.

Its repositories are folders: `OWNER/name/REVISION/file`. A revision's commit is a hash of its name.
"""

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


@contextlib.contextmanager
def hub_at(root: Path) -> Iterator[str]:
    """Serve the repositories below a folder; yields the hub's URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        def do_HEAD(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            self._answer(json.loads(self.rfile.read(length) or b"{}"))

        def log_message(self, *_: object) -> None: ...

        def _answer(self, asked: dict[str, object] | None = None) -> None:
            parts = [unquote(part) for part in urlsplit(self.path).path.split("/") if part]
            match parts:
                case ["api", "datasets", owner, name]:
                    self._about(f"{owner}/{name}", "main")
                case ["api", "datasets", owner, name, "revision", revision]:
                    self._about(f"{owner}/{name}", revision)
                case ["api", "datasets", owner, name, "tree", revision, *path]:
                    self._listed(f"{owner}/{name}", revision, "/".join(path))
                case ["api", "datasets", owner, name, "paths-info", revision]:
                    paths = asked.get("paths", []) if asked else []
                    wanted = {str(path) for path in paths} if isinstance(paths, list) else set()
                    folder = self._folder(f"{owner}/{name}", revision)
                    found = [(path, folder / path) for path in sorted(wanted) if folder and (folder / path).exists()]
                    self._json([_entry(path, file) for path, file in found])
                case ["datasets", owner, name, "resolve", revision, *path]:
                    file = self._files(f"{owner}/{name}", revision).get("/".join(path))
                    if file is None:
                        self._say(404, b"Entry not found", {"X-Error-Code": "EntryNotFound"})
                    else:
                        self._file(f"{owner}/{name}", revision, file)
                case _:
                    self._say(404, b"Not found", {"X-Error-Code": "RepoNotFound"})

        def _folder(self, repo: str, revision: str) -> Path | None:
            for each in (root / repo).glob("*"):
                if revision in (each.name.replace("~", "/"), _commit(each)):
                    return each
            return None

        def _files(self, repo: str, revision: str) -> dict[str, Path]:
            folder = self._folder(repo, revision)
            found = sorted(folder.rglob("*")) if folder else []
            return {str(path.relative_to(folder)): path for path in found if folder and path.is_file()}

        def _about(self, repo: str, revision: str) -> None:
            folder = self._folder(repo, revision)
            if folder is None:
                self._say(404, b"No such revision", {"X-Error-Code": "RevisionNotFound"})
                return
            siblings = [{"rfilename": path} for path in self._files(repo, revision)]
            self._json({"id": repo, "sha": _commit(folder), "siblings": siblings, "private": False, "tags": []})

        def _listed(self, repo: str, revision: str, below: str) -> None:
            folder = self._folder(repo, revision)
            if folder is None or not (folder / below).is_dir():
                self._say(404, b"Entry not found", {"X-Error-Code": "EntryNotFound"})
                return
            deep = "recursive=true" in urlsplit(self.path).query.lower()
            found = (folder / below).rglob("*") if deep else (folder / below).glob("*")
            self._json([_entry(str(path.relative_to(folder)), path) for path in sorted(found)])

        def _file(self, repo: str, revision: str, file: Path) -> None:
            folder = self._folder(repo, revision)
            content = file.read_bytes()
            about = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": _commit(folder or file)}
            self._say(200, content, about)

        def _json(self, value: object) -> None:
            self._say(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

        def _say(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _commit(folder: Path) -> str:
    return hashlib.sha1(folder.name.encode()).hexdigest()


def _entry(path: str, file: Path) -> dict[str, object]:
    content = b"" if file.is_dir() else file.read_bytes()
    kind = "directory" if file.is_dir() else "file"
    return {"type": kind, "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
