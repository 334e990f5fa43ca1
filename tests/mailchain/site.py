"""Our program as an operator runs it: a folder with config.toml, and commands in their own process.

Its sources are the bundled sample, moved to these days, since judges of mail look at dates.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from digest.clock import moment_text
from digest.mail.dkim import DkimSigner, load_signer
from digest.sample import SAMPLE_DAYS, SAMPLE_TOPICS
from digest.sample.listings import sample_feed
from digest.sample.loopback import Answer, Asked, LoopbackServer
from digest.sample.server import daily_papers
from tests.mailchain.chain import BOUNCE_DOMAIN, BOUNCES, Chain
from tests.mailchain.dovecot import PASSWORD
from tests.mailchain.identity import SITE_HOST

URL = f"https://{SITE_HOST}"
FROM_DOMAIN = "example.org"
SECRET = "a secret of more than thirty-two characters"
_DAY = re.compile(r"\b20\d\d-\d\d-\d\d")
_CONFIG = f"""\
[site]
name = "Trending Papers"
url = "{URL}"
secret_key = "{SECRET}"
postal_address = "Example Society, 1 Long Street, 10115 Berlin"
operator_email = "operator@example.org"
[smtp]
host = "localhost"
port = {{port}}
security = "starttls"
connections = 4
timeout_s = 20
[mail]
from = "Trending Papers <digest@{FROM_DOMAIN}>"
bounce_domain = "{BOUNCE_DOMAIN}"
dkim_domain = "{FROM_DOMAIN}"
dkim_selector = "mail1"
dkim_key_file = "dkim.pem"
[bounces]
kind = "imap"
host = "localhost"
port = {{imap_port}}
security = "starttls"
username = "{BOUNCES}"
password = "{PASSWORD}"
[[source]]
name = "huggingface"
kind = "huggingface"
url = "{{sources}}"
pause = "0s"
[[source]]
name = "arxiv"
kind = "arxiv"
url = "{{sources}}"
categories = ["cs.AI", "cs.CL", "cs.CV", "cs.LG"]
pause = "0s"
"""


class Site:
    """One installation. `now` is when all of it happens; its readers are due an hour before."""

    def __init__(self, folder: Path, chain: Chain, sources_url: str, now: datetime) -> None:
        self.folder = folder
        self.now = now
        self._authority = chain.identity.authority
        key = rsa.generate_private_key(65537, 2048)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "dkim.pem").write_bytes(pem)
        config = _CONFIG.format(
            port=chain.postfix.ports["relay"], imap_port=chain.dovecot.port, sources=sources_url
        )
        for topic in SAMPLE_TOPICS:
            lines = (f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in topic.items())
            config += "\n".join(["[[topic]]", *lines, ""])
        (folder / "config.toml").write_text(config, "utf-8")

    @property
    def signer(self) -> DkimSigner:
        """Holds the public key, as DNS would publish it."""
        return load_signer(FROM_DOMAIN, "mail1", self.folder / "dkim.pem")

    def copy(self, folder: Path) -> Site:
        """The same installation in another folder, where what it does is not seen here."""
        shutil.copytree(self.folder, folder)
        twin = object.__new__(Site)
        twin.folder, twin.now, twin._authority = folder, self.now, self._authority
        return twin

    def run(
        self, *arguments: str, at: datetime | None = None, settings: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one command at `at`, with the `settings` (environment variables) on top."""
        moment = () if at is None else ("--at", moment_text(at))
        return subprocess.run(
            [sys.executable, "-m", "digest", *arguments, *moment],
            cwd=self.folder,
            env=self.environment(settings),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def environment(self, settings: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a command finds around it: the servers' certificates are trusted."""
        usual = {"PATH": os.environ["PATH"], "SSL_CERT_FILE": str(self._authority)}
        return {**usual, **(settings or {})}

    def ask(self, *arguments: str, **options: Any) -> Any:
        """The JSON that a command prints. It must end well."""
        done = self.run(*arguments, "--json", **options)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def collect(self, sample: MovedSample) -> None:
        """Read the sources on three occasions; the votes have grown in between."""
        for hours in (50, 26, 2):
            sample.now = self.now - timedelta(hours=hours)
            self.ask("collect", at=sample.now)

    def enrol(self, *people: str, **columns: str) -> None:
        """Put confirmed readers on the list, each interested in two topics."""
        due = self.now - timedelta(hours=1)
        row = {
            "topic": "language-models;efficient-models",
            "send_at": f"{due:%H:%M}",
            "zone": "UTC",
            "confirmed": "yes",
            **columns,
        }
        file = self.folder / "people.csv"
        lines = [",".join(["email", *row]), *(",".join([p, *row.values()]) for p in people)]
        file.write_text("\n".join(lines), "utf-8")
        told = self.ask("subscribers", "import", str(file), at=self.now - timedelta(hours=2))
        assert told["added"] == len(people)


class MovedSample:
    """The sources of the bundled sample, as if its last day were that of `now`."""

    def __init__(self, now: datetime) -> None:
        self._span = timedelta(days=(now.date() - SAMPLE_DAYS[-1]).days)
        #: when it answers; the votes grow with it
        self.now = now
        self._server = LoopbackServer(self._respond)

    @property
    def url(self) -> str:
        return self._server.url

    def __enter__(self) -> MovedSample:
        self._server.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._server.__exit__(*raised)

    def _respond(self, asked: Asked) -> Answer:
        then = self.now - self._span
        if asked.path == "/robots.txt":
            return Answer(body=b"User-agent: *\nAllow: /\n")
        if asked.path.startswith("/atom/"):
            feed = sample_feed(asked.path.removeprefix("/atom/"), then)
            answer = Answer(content_type="application/atom+xml; charset=utf-8", body=feed.encode())
        else:
            query = {name: _move(value, -self._span) for name, value in asked.query.items()}
            answer = daily_papers(query, then)
        assert isinstance(answer.body, bytes)
        return replace(answer, body=_move(answer.body.decode(), self._span).encode())


def _move(text: str, span: timedelta) -> str:
    """The text with its dates moved."""
    return _DAY.sub(lambda found: str(date.fromisoformat(found[0]) + span), text)
