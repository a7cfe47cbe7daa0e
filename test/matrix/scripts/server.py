"""A site on Python's own http server, speaking HTTP/1.1: files, and uploads that can be read back."""

import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


class Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Its head and body are two small writes: without this they wait for each other's acknowledgement.
    disable_nagle_algorithm = True

    def __init__(self, *args):
        super().__init__(*args, directory=sys.argv[2])

    def do_PUT(self):
        with open(self.translate_path(self.path), "wb") as file:
            for piece in self.pieces():
                file.write(piece)
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def pieces(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            yield self.rfile.read(int(self.headers.get("Content-Length", "0")))
            return
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            if size == 0:
                break
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline() not in (b"\r\n", b""):
            pass

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
