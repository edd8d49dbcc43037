"""A stand-in for a deployment that has its pages ready: `python -m tests.bench.page_sink FOLDER`.

It answers `readPage` at once with files that were made beforehand, and `epoch`; the first line of
its stdout is its port. So what is measured is the reader, and no deployment.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

EPOCH = b'{"status":"success","value":{"epoch":"bench"}}'


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: Path

    def do_POST(self) -> None:
        call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        args, body = call["args"], EPOCH
        if call["path"].endswith(":readPage"):
            body = (self.folder / args["table"] / f"{args['cursor'] or 0}.json").read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a line a request would be measured too."""


def main(folder: str) -> None:
    Handler.folder = Path(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
