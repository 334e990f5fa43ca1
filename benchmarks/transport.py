"""How fast messages leave, against Postfix's own test sender in the same run.

    python benchmarks/transport.py [--runs 3] [--size 30000] [--only digest]

The reference is `smtp-source -d` (Postfix; persistent connections, no pipelining) into the same
sink with as many connections. Sinks: Postfix's smtp-sink, and sink.c, which is faster and can
answer late (built with gcc). Also smtplib in threads, and aiosmtplib when it is installed. Rates
are medians over rounds in which every sender has its turn; CPU is the sender's. Only ratios
inside one run mean anything. What is missing on this machine is left out and named.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import os
import resource
import shutil
import smtplib
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SINK_SOURCE = Path(__file__).with_name("sink.c")
OWN_CPU, SINK_CPU = 0, 1
WORDS = "sparse attention trending papers https://example.org/abs/2401.01234 style=3D".split()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of comparisons: a sink, its delay, and how many connections."""

    sink: str
    delay_ms: int
    connections: int
    count: int
    size: int
    tls: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measurement."""

    seconds: float
    cpu_s: float


def make_content(size: int) -> bytes:
    """A message of that many bytes, in lines like those of a quoted-printable mail."""
    head = b"From: a@example.org\r\nTo: b@example.net\r\nSubject: benchmark\r\n\r\n"
    line = " ".join(WORDS).encode()[:75] + b"=\r\n"
    return (head + line * (size // len(line) + 1))[: size - 2] + b"\r\n"


# -- senders; each hands over `count` messages and is run in a process of its own


def send_digest(port: int, count: int, connections: int, content: bytes) -> None:
    """This project's transport."""
    from digest.mail import TransportOptions, build_transport, run_to_end
    from digest.model import Envelope, Fate, Outcome

    numbers = iter(range(count))
    accepted = 0

    async def take() -> Envelope | None:
        for number in numbers:
            return Envelope(
                outbox_id=number,
                envelope_from=f"bounce+{number}@example.org",
                envelope_to=f"reader{number}@example.net",
                content=content,
            )
        return None

    async def report(outcomes: Sequence[Outcome]) -> None:
        nonlocal accepted
        accepted += sum(outcome.fate is Fate.ACCEPTED for outcome in outcomes)

    options = TransportOptions(
        host="127.0.0.1", port=port, security="none", connections=connections
    )
    run_to_end(build_transport(options).run(take, report))
    assert accepted == count, f"{accepted} of {count} were accepted"


def send_smtplib(port: int, count: int, connections: int, content: bytes) -> None:
    """The standard library, one thread for each connection."""

    def work(share: int) -> None:
        with smtplib.SMTP("127.0.0.1", port) as client:
            assert isinstance(client.sock, socket.socket)
            client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(share):
                client.sendmail("bounce@example.org", ["reader@example.net"], content)

    run_shares(work, count, connections)


def run_shares(work: Callable[[int], None], count: int, connections: int) -> None:
    shares = [count // connections + (n < count % connections) for n in range(connections)]
    threads = [threading.Thread(target=work, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def send_aiosmtplib(port: int, count: int, connections: int, content: bytes) -> None:
    """The usual asyncio library, one client for each connection."""
    import aiosmtplib

    async def work(share: int) -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
            for _ in range(share):
                await client.sendmail("bounce@example.org", ["reader@example.net"], content)

    async def main() -> None:
        shares = [count // connections + (n < count % connections) for n in range(connections)]
        await asyncio.gather(*map(work, shares))

    asyncio.run(main())


SENDERS = {"digest": send_digest, "smtplib": send_smtplib, "aiosmtplib": send_aiosmtplib}


def run_sender(name: str, port: int, case: Case) -> None:
    """Be a sender process: send, and print what it took."""
    content = make_content(case.size)
    # imports are not what is measured
    SENDERS[name](port, 1, 1, content)
    started, cpu = time.perf_counter(), time.process_time()
    SENDERS[name](port, case.count, case.connections, content)
    taken = {
        "seconds": time.perf_counter() - started,
        "cpu_s": time.process_time() - cpu,
    }
    print(json.dumps(taken))


# -- measuring


def pin(cpu: int) -> None:
    if hasattr(os, "sched_setaffinity") and cpu in os.sched_getaffinity(0):
        os.sched_setaffinity(0, {cpu})


@contextlib.contextmanager
def running_sink(case: Case, built: Path | None) -> Iterator[int]:
    """The port of a sink."""
    if case.sink == "sink.c":
        assert built is not None
        command = [str(built), str(case.delay_ms)]
    else:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
        # it refuses to run as root
        user = ["-u", "nobody"] if os.getuid() == 0 else []
        command = ["smtp-sink", *user, f"127.0.0.1:{port}", "1024"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: pin(SINK_CPU),
    )
    try:
        if case.sink == "sink.c":
            assert process.stdout is not None
            port = int(process.stdout.readline())
        wait_for(port)
        yield port
    finally:
        process.kill()
        process.wait()


def wait_for(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.02)
    raise RuntimeError("the sink did not start")


def measure_reference(port: int, case: Case) -> Sample:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(
        [
            *("smtp-source", "-d", "-s", str(case.connections), "-m", str(case.count)),
            *("-l", str(case.size), "-f", "a@example.org", "-t", "b@example.net"),
            f"127.0.0.1:{port}",
        ],
        check=True,
        preexec_fn=lambda: pin(OWN_CPU),
    )
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Sample(seconds=seconds, cpu_s=cpu_s)


def measure_sender(name: str, port: int, case: Case) -> Sample:
    arguments = ["--sender", name, "--port", str(port), "--count", str(case.count)]
    arguments += ["--connections", str(case.connections), "--size", str(case.size)]
    run = subprocess.run(
        [sys.executable, __file__, *arguments],
        check=True,
        capture_output=True,
        text=True,
        preexec_fn=lambda: pin(OWN_CPU),
        cwd=Path(__file__).parents[1],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    return Sample(**json.loads(run.stdout))


def measure(case: Case, senders: list[str], runs: int, built: Path | None) -> None:
    """Run all senders in turn, `runs` times, and print the medians beside the reference."""
    samples: dict[str, list[Sample]] = {}
    with running_sink(case, built) as port:
        for _ in range(runs):
            if shutil.which("smtp-source"):
                samples.setdefault("smtp-source -d", []).append(measure_reference(port, case))
            for name in senders:
                samples.setdefault(name, []).append(measure_sender(name, port, case))
    reference = rate_of(samples.get("smtp-source -d", []), case.count)
    for name, taken in samples.items():
        rates = sorted(case.count / sample.seconds for sample in taken)
        rate = rate_of(taken, case.count)
        cpu_ms = statistics.median(sample.cpu_s for sample in taken) / case.count * 1000
        ratio = f"{rate / reference:6.2f}" if reference else "     -"
        print(
            f"{case.sink:9} {case.delay_ms:4} {case.connections:5}  {name:15}"
            f"{rate:9,.0f} ({rates[0]:,.0f}-{rates[-1]:,.0f})".ljust(62)
            + f"{ratio} {cpu_ms:8.3f}",
            flush=True,
        )


def rate_of(samples: list[Sample], count: int) -> float:
    return count / statistics.median(sample.seconds for sample in samples) if samples else 0.0


def build_sink(folder: Path) -> Path | None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    built = folder / "sink"
    subprocess.run([compiler, "-O2", "-o", str(built), str(SINK_SOURCE)], check=True)
    return built


def choose_cases(arguments: argparse.Namespace, built: Path | None) -> Iterator[Case]:
    """The cases of the speed goals, as far as this machine has the tools."""
    size = arguments.size
    if shutil.which("smtp-sink"):
        for connections in (1, 64):
            yield Case(sink="smtp-sink", delay_ms=0, connections=connections, count=4000, size=size)
    if built is not None:
        for connections in (1, 64):
            yield Case(sink="sink.c", delay_ms=0, connections=connections, count=6000, size=size)
        for connections in (8, 64):
            # long enough that greeting and goodbye, six delays in all, do not weigh
            count = connections * 150
            yield Case(sink="sink.c", delay_ms=20, connections=connections, count=count, size=size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--size", type=int, default=30_000)
    parser.add_argument("--only", help="senders, separated by commas")
    parser.add_argument("--sender", choices=SENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--connections", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.sender:
        case = Case(
            sink="",
            delay_ms=0,
            connections=arguments.connections,
            count=arguments.count,
            size=arguments.size,
        )
        run_sender(arguments.sender, arguments.port, case)
        return
    senders = arguments.only.split(",") if arguments.only else list(SENDERS)
    if "aiosmtplib" in senders and importlib.util.find_spec("aiosmtplib") is None:
        senders.remove("aiosmtplib")
        print("aiosmtplib is not installed: left out")
    for tool in ("smtp-source", "smtp-sink"):
        if shutil.which(tool) is None:
            print(f"{tool} is not installed (package postfix): left out")
    with tempfile.TemporaryDirectory() as folder:
        built = build_sink(Path(folder))
        if built is None:
            print("no C compiler: sink.c is left out")
        print("sink     ms late conns  sender          messages/s (min-max)        x ref   CPU ms")
        for case in choose_cases(arguments, built):
            measure(case, senders, arguments.runs, built)


if __name__ == "__main__":
    main()
