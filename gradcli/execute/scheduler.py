"""Where the processes of a cluster come from: a scheduler somewhere, or one started here.

Constraints: nothing of dask is imported before it is needed; it is told to be quiet, since what it
logs is said as errors and notes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from gradcli import __version__
from gradcli.errors import GradcliError
from gradcli.execute.threads import thread_count

LOCAL = "local"
"""The scheduler that is started here, with a process a core."""
ANSWER = 2
"""Seconds in which a scheduler must answer."""
QUIET = {
    "distributed.admin.large-graph-warning-threshold": "1 PB",
    "distributed.comm.timeouts.connect": f"{ANSWER}s",
    "distributed.comm.retry.count": 0,
}
Note = Callable[[str], None]


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


def library() -> Any:
    """dask.distributed; raises G071 where it is missing."""
    try:
        import dask
        import distributed
    except ImportError:
        raise GradcliError(
            "G071",
            "the dask backend needs distributed, which is not installed",
            help="pip install 'gradcli[dask]'",
        ) from None
    import logging

    dask.config.set(QUIET)
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    return distributed


def started() -> Processes:
    """A cluster of this machine: a process for each thread that a sweep here would use."""
    distributed = library()
    local = distributed.LocalCluster(
        n_workers=thread_count(),
        threads_per_worker=1,
        dashboard_address=None,
        silence_logs=50,
        host="127.0.0.1",
    )
    return Processes(distributed.Client(local, set_as_default=False), local)


def connected(address: str, note: Note) -> Processes:
    """The cluster of the scheduler at `address`.

    Raises:
        GradcliError: G071 where none answers, or it has no workers, or those have another gradcli.
    """
    try:
        client = library().Client(address, timeout=ANSWER, set_as_default=False)
    except (OSError, ValueError, TypeError, ImportError) as error:
        fact = "no scheduler answers" if isinstance(error, OSError) else str(error).lower()
        raise GradcliError(
            "G071",
            f"{address}: {fact}",
            help=[
                "start one there: dask scheduler, and workers: dask worker ADDRESS",
                "or compute with processes on this machine: --scheduler local",
            ],
        ) from None
    found = Processes(client)
    try:
        _check_workers(client, address, note)
    except BaseException:
        found.close()
        raise
    return found


def _check_workers(client: Any, address: str, note: Note) -> None:
    """Refuses a cluster without workers or with another gradcli; notes other differences."""
    if not client.nthreads():
        raise GradcliError(
            "G071",
            f"the scheduler at {address} has no workers",
            help=f"start some: dask worker {address}",
        )
    found = client.get_versions(packages=["gradcli"])
    here = {"python": _version(found["client"], "python"), "numpy": np.__version__}
    for worker, facts in found["workers"].items():
        theirs = _version(facts, "gradcli")
        if theirs != __version__:
            raise GradcliError(
                "G071",
                f"worker {worker} has gradcli {theirs}, here it is {__version__}"
                if theirs
                else f"worker {worker} has no gradcli",
                help=f"on the workers: pip install gradcli=={__version__}",
            )
        for package, version in here.items():
            other = _version(facts, package)
            if other != version:
                note(
                    f"worker {worker} has {package} {other}, here it is {version}: "
                    "the last bits of results may differ"
                )


def _version(facts: Any, package: str) -> str | None:
    known = {**facts["host"], **facts["packages"]}
    found = known.get(package)
    return None if found is None else str(found)
