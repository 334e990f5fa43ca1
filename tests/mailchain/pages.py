"""The pages of an installation over HTTPS, at the very address that its mails name."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn

from digest.app import App
from digest.config import load_settings
from tests.mailchain.daemons import free_port
from tests.mailchain.identity import Identity
from tests.mailchain.site import URL, Site


@contextmanager
def served(site: Site, identity: Identity) -> Iterator[httpx.Client]:
    """A client that finds the site's host here, checks its certificate, and follows nothing.

    TLS is ended by uvicorn, as the proxy in front does it. Skips while there is no such page.
    """
    web = pytest.importorskip("digest.web.app", reason="digest/web is not there")
    app = App(load_settings(site.folder / "config.toml", environ={}))
    try:
        pages = web.build_web(app)
        if not any("/unsubscribe/" in getattr(route, "path", "") for route in pages.routes):
            pytest.skip("digest/web has no page to unsubscribe yet")
        port = free_port()
        config = uvicorn.Config(
            pages,
            host="127.0.0.1",
            port=port,
            log_level="warning",
            ws="none",
            ssl_certfile=identity.certificate,
            ssl_keyfile=identity.key,
        )
        with _running(uvicorn.Server(config)), _client(port, identity) as client:
            yield client
    finally:
        app.close()


@contextmanager
def _running(server: uvicorn.Server) -> Iterator[None]:
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        end = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive() and time.monotonic() < end, "the pages are not served"
            time.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        thread.join(20)


def _client(port: int, identity: Identity) -> httpx.Client:
    host = urlsplit(URL).netloc

    class Here(httpx.HTTPTransport):
        """Sends what is for the site's host to our port, and nothing else anywhere."""

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            assert request.url.host == host
            request.url = request.url.copy_with(host="127.0.0.1", port=port)
            request.extensions["sni_hostname"] = host
            return super().handle_request(request)

    trusted = ssl.create_default_context(cafile=identity.authority)
    return httpx.Client(transport=Here(verify=trusted), timeout=20, follow_redirects=False)
