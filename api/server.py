# SPDX-License-Identifier: EUPL-1.2
"""The HTTP server around the application.

Rules
  1. No access log of the server's own: it would write paths, and so procedures (protocol 4.12).
  2. Threads change hands every half millisecond: else a digest waits five for each short call of AES (storage.md, 4.2).
  3. It listens on loopback unless told.
"""

import sys

import uvicorn
from fastapi import FastAPI

from crypto.stream import SWITCH_INTERVAL

LOOPBACK = "127.0.0.1"
KEEP_ALIVE = 75  # seconds; a platform's next deposit saves a handshake
GOODBYE = 30  # seconds that running requests have when the server stops


def make_server(app: FastAPI, *, host: str = LOOPBACK, port: int = 0) -> uvicorn.Server:
    """A server for this application; `run()` serves until it is told to stop."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http="httptools",
            loop="uvloop",
            ws="none",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=GOODBYE,
        )
    )
