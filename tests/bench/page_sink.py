"""A stand-in for a deployment that has its pages ready: `python -m tests.bench.page_sink FOLDER`.

It answers `readPage` at once with files that were made beforehand, and `epoch`; the first line of
its stdout is its port. So what is measured is the reader, and no deployment.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.support.serving import LocalServer, QuietHandler

EPOCH = b'{"status":"success","value":{"epoch":"bench"}}'


class Handler(QuietHandler):
    protocol_version = "HTTP/1.1"
    folder: Path

    def do_POST(self) -> None:
        call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        args, body = call["args"], EPOCH
        if call["path"].endswith(":readPage"):
            body = (self.folder / args["table"] / f"{args['cursor'] or 0}.json").read_bytes()
        self.reply(200, body, [("Content-Type", "application/json")])


def main(folder: str) -> None:
    Handler.folder = Path(folder)
    server = LocalServer(Handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
