"""Serves the page on this machine: the package's own files and a network, without a copy."""

import errno
import http.server
import pathlib
import sys

from jaxdepth.errors import InputError

FOLDER = pathlib.Path(__file__).parent
_HEADERS = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
_TYPES = {".js": "text/javascript", ".wasm": "application/wasm", ".json": "application/json", ".svg": "image/svg+xml"}


def make(network=None, *, port):
    """Makes the server, which listens to this machine only. Its `serve_forever` serves.

    Args:
      network: folder with network.tflite and network.json; None if it is set as `places["network"]` before it serves.
      port: 0 for any that is free.

    Returns:
      An http.server.ThreadingHTTPServer; `server_port` is its port.

    Raises:
      InputError: if the port is in use, or not allowed.
    """
    try:
        server = _Server(("127.0.0.1", port), _Handler)
        server.places = {"vendor": FOLDER / "vendor", "examples": FOLDER / "examples", "network": network}
        return server
    except OverflowError as error:
        raise InputError(f"--port={port}: expected 0 to 65535") from error
    except OSError as error:
        told = {errno.EADDRINUSE: "is in use", errno.EACCES: "is not allowed"}.get(error.errno, error.strerror)
        raise InputError(f"--port={port} {told}: expected another one, or 0 for any that is free") from error


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # else the browser left, as at a reload


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Files below the folders of the server's `places`, {first part of the path: folder}; others are the page's own."""

    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | _TYPES

    def translate_path(self, path):
        path = path.replace("%00", "")  # which no file's name has
        places = self.server.places
        first, _, rest = path.lstrip("/").partition("/")
        self.directory = str(places.get(first, FOLDER / "static"))  # which the parent's method stays below
        return super().translate_path(f"/{rest}" if first in places else path)

    def list_directory(self, path):
        self.send_error(404)

    def end_headers(self):
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_):
        pass
