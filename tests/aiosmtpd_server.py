"""aiosmtpd, misbehaving on command by the same rules as our own scripted server.

A server that is not ours, and that offers no PIPELINING: what both agree on is not an accident of
one of them.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from tests.smtp_servers import Act, Moment, Received, ScriptedServer, listening


class AiosmtpdServer(ScriptedServer):
    """The scripted server's outside with aiosmtpd inside."""

    async def _main(self) -> None:
        talks: set[_Talk] = set()
        async with listening(self.port, lambda: _Talk(self, talks)) as self.port:
            self._is_up.set()
            await self._stopped.wait()


class _Talk(SMTP):
    """One connection."""

    def __init__(self, server: AiosmtpdServer, talks: set[_Talk]) -> None:
        super().__init__(
            _Hooks(),
            hostname="aiosmtpd.test",
            loop=asyncio.get_running_loop(),
            enable_SMTPUTF8="SMTPUTF8" in server._extensions,
            tls_context=server._tls,
            authenticator=self._check_login if server._login else None,
        )
        self._server = server
        self._talks = talks
        self._accepted = 0
        self._is_greeted = False
        server.connections += 1
        self._number = server.connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self not in self._talks:
            self._talks.add(self)
            self._server.open_connections += 1
            self._server.most_open = max(self._server.most_open, self._server.open_connections)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._server.open_connections -= self in self._talks
        self._talks.discard(self)
        super().connection_lost(error)

    def cut(self) -> None:
        """Reset the connection."""
        transport = self._original_transport or self.transport
        assert isinstance(transport, asyncio.Transport)
        transport.abort()

    # -- what aiosmtpd would say, and the rule's word before it

    async def push(self, status: Any) -> None:  # Any: as aiosmtpd has it
        if not self._is_greeted:
            self._is_greeted = True
            if (said := await self._ask("CONNECT", "")) is not None:
                await self._part(said)
        await super().push(status)

    async def smtp_EHLO(self, hostname: str) -> None:
        await self._usual_unless("EHLO", hostname, super().smtp_EHLO)

    async def smtp_STARTTLS(self, arg: str) -> None:
        await self._usual_unless("STARTTLS", arg, super().smtp_STARTTLS)

    async def smtp_AUTH(self, arg: str) -> None:
        await self._usual_unless("AUTH", arg, super().smtp_AUTH)

    async def smtp_MAIL(self, arg: str | None) -> None:
        self._server.commands.append((self._number, f"MAIL {arg}"))
        await self._usual_unless("MAIL", arg, super().smtp_MAIL)

    async def smtp_RCPT(self, arg: str | None) -> None:
        await self._usual_unless("RCPT", arg, super().smtp_RCPT)

    async def smtp_DATA(self, arg: str) -> None:
        async def usual(arg: str) -> None:
            if (said := await self._ask("CONTENT", "")) is not None:
                await self._part(said)
            await super(_Talk, self).smtp_DATA(arg)

        await self._usual_unless("DATA", arg, usual)

    async def take(self, envelope: Any) -> str:
        """The answer to a whole message."""
        try:
            said = await self._ask("END", "")
        except _CutAfter as cut:
            self._keep(envelope)
            await self._misbehave(cut.act)
        if said is None or said.startswith("2"):
            self._keep(envelope)
        if said is not None and said.startswith("421"):
            await self._part(said)
        return said or "250 2.0.0 taken"

    # -- parts

    async def _usual_unless(self, verb: str, arg: Any, usual: Any) -> None:
        said = await self._ask(verb, arg or "")
        if said is None:
            await usual(arg)
        elif said.startswith("421"):
            await self._part(said)
        else:
            await super().push(said)

    async def _ask(self, verb: str, argument: str) -> str | None:
        """What the rule wants said; it may end the connection instead."""
        said = self._server.rule(
            Moment(
                verb=verb,
                argument=argument,
                connection=self._number,
                open_connections=self._server.open_connections,
                accepted_here=self._accepted,
                accepted=len(self._server.received),
            )
        )
        if isinstance(said, Act):
            if verb == "END":
                raise _CutAfter(said)
            if verb == "CONTENT":
                await super().push("354 go ahead")
                await self._reader.readuntil()
            await self._misbehave(said)
        return said.decode() if isinstance(said, bytes) else said

    async def _misbehave(self, act: Act) -> None:
        if act is Act.CUT:
            self.cut()
        elif act is Act.CLOSE:
            self._writer.close()
        else:
            assert act is Act.SILENCE, "what aiosmtpd cannot do is the scripted server's"
        await asyncio.Event().wait()

    async def _part(self, said: str) -> None:
        await super().push(said)
        await self._misbehave(Act.CLOSE)

    def _keep(self, envelope: Any) -> None:
        self._accepted += 1
        for envelope_to in envelope.rcpt_tos:
            self._server.received.append(
                Received(
                    envelope_from=envelope.mail_from,
                    envelope_to=envelope_to,
                    content=envelope.original_content,
                    parameters=" ".join(envelope.mail_options),
                    connection=self._number,
                )
            )

    def _check_login(self, server: Any, session: Any, envelope: Any, *login: Any) -> AuthResult:
        mechanism, given = login
        assert isinstance(given, LoginPassword), mechanism
        tried = (given.login.decode(), given.password.decode())
        return AuthResult(success=tried == self._server._login, handled=False)


class _Hooks:
    """What aiosmtpd asks when a message is whole."""

    async def handle_DATA(self, server: _Talk, session: object, envelope: Any) -> str:
        return await server.take(envelope)


class _CutAfter(Exception):
    """The message was taken, and its answer is to be lost."""

    def __init__(self, act: Act) -> None:
        self.act = act
