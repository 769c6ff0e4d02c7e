"""Uvicorn, which says what it serves, and where, as soon as it answers."""

import contextlib
import sys

import uvicorn

from kc_jax.errors import UserError

ANY = {"0.0.0.0": "localhost", "::": "localhost"}  # Addresses to listen on, not to open.


class Server(uvicorn.Server):
    """Serves an application until it is told to stop.

    Args:
      config: Uvicorn's.
      what: is served, in words.
    """

    def __init__(self, config: uvicorn.Config, what: str):
        super().__init__(config)
        self._what = what

    async def startup(self, sockets=None) -> None:
        try:
            await super().startup(sockets)
        except SystemExit:  # Uvicorn has said why.
            raise UserError(
                f"nothing can listen on --host={self.config.host} --port={self.config.port}; name "
                "an address of this machine and a port that is free"
            ) from None
        address, port = self.servers[0].sockets[0].getsockname()[:2]
        host = ANY.get(address, f"[{address}]" if ":" in address else address)
        print(f"kc_jax: serving {self._what}; open http://{host}:{port}/", file=sys.stderr,
              flush=True)

    def run(self, sockets=None) -> None:
        with contextlib.suppress(KeyboardInterrupt):  # Raised again when all has been stopped.
            super().run(sockets)
