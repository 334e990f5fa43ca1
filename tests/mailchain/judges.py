"""Programs that judge mail at receivers: SpamAssassin, Mail::DKIM, mailauth. Each is its own author.

A judge that is not installed skips the test that asks it, by name.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.browsing import node_module
from tests.mailchain.daemons import need_program
from tests.mailchain.zone import RELAY_IP, Zone

_LOCAL_HOP = re.compile(rb"^(Received: from \S+ )\(\S+ \[127\.0\.0\.1\]\)", re.M)
_SPAM_SETTINGS = """\
use_bayes 0
skip_rbl_checks 1
dns_available yes
dns_server [127.0.0.1]:{port}
clear_trusted_networks
clear_internal_networks
trusted_networks 10.99.99.99
internal_networks 10.99.99.99
envelope_sender_header Return-Path
always_trust_envelope_sender 1
"""
_RULE = re.compile(r"^ ?(-?\d+\.\d+) ([A-Z][A-Z0-9_]+) ", re.M)
_PERL = r"""
use strict; use warnings; use Mail::DKIM::Verifier; use Net::DNS;
my ($port, @files) = @ARGV;
Mail::DKIM::DNS::resolver(Net::DNS::Resolver->new(
    nameservers => ['127.0.0.1'], port => $port, udp_timeout => 10, retry => 2));
for my $file (@files) {
    my $verifier = Mail::DKIM::Verifier->new;
    open my $in, '<:raw', $file or die "$file: $!";
    local $/;
    $verifier->PRINT(<$in>);
    $verifier->CLOSE;
    print $verifier->result_detail, "\n";
}
"""
_NODE = r"""
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
const asked = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { authenticate } = createRequire(asked.module + '/')('mailauth');
const resolver = async (name, type) => {
    const found = (asked.zone[name] || {})[type];
    if (found) return found;
    throw Object.assign(new Error('no such record'), { code: 'ENOTFOUND' });
};
for (const file of asked.files) {
    const told = await authenticate(readFileSync(file), {
        ip: asked.ip, helo: asked.helo, mta: 'mx.example.net', resolver,
        disableArc: true, disableBimi: true, trustReceived: true,
    });
    console.log(JSON.stringify({
        dkim: told.dkim.results.map(r => [r.status.result, r.status.comment || ''].join(' ').trim()),
        spf: told.spf ? told.spf.status.result : 'none',
        dmarc: told.dmarc ? told.dmarc.status.result : 'none',
    }));
}
"""


def from_outside(arrived: bytes) -> bytes:
    """The message as if our relay had stood on the internet, and not on the judge's own machine.

    The line of its arrival is no part of the signature.
    """
    moved, count = _LOCAL_HOP.subn(rb"\1(mail.example.org [%s])" % RELAY_IP.encode(), arrived)
    assert count == 1, "the relay's Received line is not as expected"
    return moved


@dataclass(frozen=True, slots=True, kw_only=True)
class SpamReport:
    """What SpamAssassin thinks of a message."""

    #: the sum; 5 is spam
    score: float
    #: points of each rule that was met
    rules: dict[str, float]

    @property
    def against(self) -> dict[str, float]:
        """The rules that speak against the message."""
        return {name: points for name, points in self.rules.items() if points > 0}


def ask_spamassassin(message: bytes, zone: Zone, folder: Path) -> SpamReport:
    """Let it judge a message that came from outside; it looks up our records, and nobody else's."""
    program = need_program("spamassassin", package="spamassassin")
    settings = folder / "local.cf"
    with zone.served() as port:
        settings.write_text(_SPAM_SETTINGS.format(port=port), "utf-8")
        done = subprocess.run(
            [program, "-t", "-x", "-p", settings],
            input=message,
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
            capture_output=True,
            timeout=100,
            check=True,
        )
    said = done.stdout.decode("utf-8", "replace").rpartition("Content analysis details:")[2]
    score = re.match(r"\s+\((-?[\d.]+) points", said)
    assert score, done.stderr.decode("utf-8", "replace")
    rules = {name: float(points) for points, name in _RULE.findall(said)}
    return SpamReport(score=float(score[1]), rules=rules)


def ask_mail_dkim(files: Sequence[Path], zone: Zone) -> list[str]:
    """Mail::DKIM's verdict on each file, e.g. "pass"."""
    perl = need_program("perl", package="perl")
    if subprocess.run([perl, "-MMail::DKIM", "-e1"], capture_output=True, timeout=30).returncode:
        need_program("Mail::DKIM", package="libmail-dkim-perl")
    with zone.served() as port:
        lines = _run([perl, "-e", _PERL, str(port), *map(str, files)])
    return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What mailauth says of one message; each is "pass" when all is well."""

    dkim: tuple[str, ...]
    spf: str
    dmarc: str


def ask_mailauth(
    files: Iterable[Path], zone: Zone, folder: Path, *, ip: str = RELAY_IP
) -> list[Verdict]:
    """The verdicts of the npm package mailauth on messages that came from `ip`.

    As a library, since a process for each would take long. Return-Path names the envelope sender.
    """
    node = need_program("node", package="nodejs")
    asked = {
        "module": str(node_module("mailauth")),
        "zone": json.loads(zone.as_json()),
        "files": [str(file) for file in files],
        "ip": ip,
        "helo": "example.org",
    }
    (folder / "asked.json").write_text(json.dumps(asked), "utf-8")
    (folder / "ask.mjs").write_text(_NODE, "utf-8")
    lines = _run([node, str(folder / "ask.mjs"), str(folder / "asked.json")])
    told = (json.loads(line) for line in lines)
    return [Verdict(dkim=tuple(t["dkim"]), spf=t["spf"], dmarc=t["dmarc"]) for t in told]


def mailauth_report(file: Path, zone: Zone, folder: Path) -> dict[str, Any]:
    """The report of mailauth's own command on one message."""
    node = need_program("node", package="nodejs")
    program = node_module("mailauth") / "bin" / "mailauth.js"
    (folder / "zone.json").write_text(zone.as_json(), "utf-8")
    # the file first: behind a flag it would be taken for the flag's value
    command = [node, str(program), "report", str(file), "--dns-cache", str(folder / "zone.json")]
    lines = _run([*command, "--client-ip", RELAY_IP, "--helo", "example.org"])
    report: dict[str, Any] = json.loads("\n".join(lines))
    return report


def _run(command: list[str]) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
