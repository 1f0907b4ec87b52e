"""Where the processes of a cluster come from: a scheduler somewhere, or one started here.

Constraints: nothing of dask is imported before it is needed; it is told to be quiet, since what it
logs is said as errors and notes.
"""

from __future__ import annotations

import platform
import re
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from threading import Thread
from typing import Any, TypeVar

import numpy as np

from gradcli import __version__
from gradcli.errors import GradcliError
from gradcli.execute.threads import thread_count

Result = TypeVar("Result")
LOCAL = "local"
"""The scheduler that is started here, with a process a core."""
STARTS = 2
"""How often a cluster of this machine is started, should one of its processes die meanwhile."""
ANSWER = 2
"""Seconds in which a scheduler must answer."""
PATIENCE = 2 * ANSWER
"""Seconds after which nobody waits for one that answers something else."""
ADDRESS = re.compile(
    r"(?:(?:tcp|tls|ws|wss|ucx)://)?(\[[0-9a-fA-F:.]+\]|[^\s/:\[\]]+):([0-9]{1,5})"
)
"""Host and port."""
QUIET = {
    "distributed.admin.large-graph-warning-threshold": "1 PB",
    "distributed.comm.timeouts.connect": f"{ANSWER}s",
    "distributed.comm.retry.count": 0,
}


class Processes:
    """A connection to a cluster.

    Args:
        client: of dask.distributed.
        started: what was started here and ends with the connection.
    """

    def __init__(self, client: Any, started: Any = None) -> None:
        self.client = client
        self._started = started

    def close(self) -> None:
        """Ends the connection, and what was started; nobody waits for answers any more."""
        with suppress(Exception):
            self.client.close(timeout=1)
        if self._started is not None:
            with suppress(Exception):
                self._started.close(timeout=2)


FACTS = (
    "(__import__('gradcli').__version__, __import__('numpy').__version__, "
    "__import__('platform').python_version())"
)
"""What a worker says of itself; it may lack gradcli, so no function of ours can ask."""


def note(text: str) -> None:
    """Says on stderr what is no failure."""
    print(f"note: {text}", file=sys.stderr)


def library() -> Any:
    """dask.distributed."""
    import logging

    import dask
    import distributed

    dask.config.set(QUIET)
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    return distributed


def started() -> Processes:
    """A cluster of this machine: a process for each thread that a sweep here would use.

    Raises:
        GradcliError: G072 where its processes die while they start, twice.
    """
    distributed = library()

    def start() -> Processes:
        local = distributed.LocalCluster(
            n_workers=thread_count(),
            threads_per_worker=1,
            dashboard_address=":0",
            silence_logs=50,
            host="127.0.0.1",
        )
        return Processes(distributed.Client(local, set_as_default=False), local)

    with _no_main():
        for _ in range(STARTS):
            try:
                return _away_from_signals(start)
            except (RuntimeError, OSError, TimeoutError) as error:
                reason = str(error).rstrip(".")
    raise GradcliError(
        "G072",
        f"the processes of this machine's cluster did not start: {reason}",
        help="compute in this process, without --backend dask, or give it more memory",
    )


@contextmanager
def _no_main() -> Iterator[None]:
    """Keeps new processes from running this one's program again, which they do not need.

    It would start them once more wherever it does not ask whether it is the main one.
    """
    main = sys.modules["__main__"]
    hidden = {n: getattr(main, n) for n in ("__spec__", "__file__") if hasattr(main, n)}
    main.__spec__ = None
    vars(main).pop("__file__", None)
    try:
        yield
    finally:
        vars(main).update(hidden)


def _away_from_signals(start: Callable[[], Processes]) -> Processes:
    """What `start` gives, from a thread that Ctrl-C does not reach, nor what it starts.

    A terminal sends it to every process; the others would answer with tracebacks.
    """
    mask = getattr(signal, "pthread_sigmask", None)
    if mask is None:  # no POSIX
        return _in_thread(start)
    resource_tracker.ensure_running()  # it lets the signal through where it is started
    before = mask(signal.SIG_BLOCK, [signal.SIGINT])
    return _in_thread(start, began=lambda: mask(signal.SIG_SETMASK, before))


def _in_thread(
    work: Callable[[], Result],
    seconds: float | None = None,
    began: Callable[[], object] = lambda: None,
) -> Result:
    """What `work` gives or raises in another thread; a TimeoutError after `seconds`."""
    found: list[Result] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:
            raised.append(error)

    thread = Thread(target=run, daemon=True)
    try:
        thread.start()
    finally:
        began()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError
    if raised:
        raise raised[0]
    return found[0]


def connected(address: str) -> Processes:
    """The cluster of the scheduler at `address`.

    Raises:
        GradcliError: G071 where none answers, or it has no workers, or those have another gradcli.
    """
    _knock(address)
    kind = library().Client
    client = kind.__new__(kind)
    try:
        _in_thread(lambda: client.__init__(address, timeout=ANSWER, set_as_default=False), PATIENCE)
    except Exception as error:  # whatever listens there may answer anything
        client.status = "closed"  # nothing is left for it to do, and it would say so
        reason = type(error).__name__
        raise _silent(address, f"what listens there is no scheduler of dask ({reason})") from None
    found = Processes(client)
    try:
        _check_workers(client, address)
    except BaseException:
        found.close()
        raise
    return found


def _knock(address: str) -> None:
    """Refuses (G071) an address at which nobody listens, which dask would try again and again."""
    found = ADDRESS.fullmatch(address)
    if found is None:
        raise _silent(address, "this is no address of a scheduler, such as tcp://host:8786")
    try:
        with socket.create_connection((found[1].strip("[]"), int(found[2])), timeout=ANSWER):
            return
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _silent(address, f"no scheduler answers ({reason.lower()})") from None


def _silent(address: str, fact: str) -> GradcliError:
    return GradcliError(
        "G071",
        f"{address}: {fact}",
        help=[
            "start one there: dask scheduler, and workers: dask worker ADDRESS",
            "or compute with processes on this machine: --scheduler local",
        ],
    )


def _check_workers(client: Any, address: str) -> None:
    """Refuses a cluster without workers or with another gradcli; notes other differences."""
    if not client.nthreads():
        raise GradcliError(
            "G071",
            f"the scheduler at {address} has no workers",
            help=f"start some: dask worker {address}",
        )
    here = (__version__, np.__version__, platform.python_version())
    for worker, theirs in client.run(eval, FACTS, on_error="return").items():
        if not isinstance(theirs, tuple) or theirs[0] != __version__:
            has = f"gradcli {theirs[0]}" if isinstance(theirs, tuple) else "no gradcli"
            raise GradcliError(
                "G071",
                f"worker {worker} has {has}, here it is {__version__}",
                help=f"on the workers: pip install gradcli=={__version__}",
            )
        for what, mine, its in zip(("NumPy", "Python"), here[1:], theirs[1:], strict=True):
            if mine != its:
                note(
                    f"worker {worker} has {what} {its}, here it is {mine}: "
                    "the last bits of results may differ"
                )
