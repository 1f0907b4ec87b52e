"""Sweeps over rows on a cluster of dask.distributed: the same plan on each process's chunks.

Constraints: what travels is the sweep, small arrays and paths; rows travel only where no file holds
them. The partial results meet in the tree that one machine uses, so the bits are the same for any
number of processes. Nothing of dask is imported before it is needed.
"""

from __future__ import annotations

import atexit
import os
import pickle
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from gradcli.errors import GradcliError
from gradcli.execute.laid import Laid
from gradcli.execute.local import rows_of
from gradcli.execute.rows import Chunk, Known, Partial, Sinks, Task, place, settings
from gradcli.execute.scheduler import LOCAL, Processes, connected, library, note, started
from gradcli.execute.tiles import Sweep
from gradcli.execute.tree import Tree
from gradcli.execute.whole import chunks as asked
from gradcli.execute.worker import Done, Share, Window, forget, ordered, unpacked, work
from gradcli.files.spill import Spill
from gradcli.files.stored import Stored
from gradcli.files.views import Joined, View

INLINE = 1 << 17
"""Bytes of a task up to which each share brings it along."""
SHARES = 4
"""Shares of a thread: so many that a lost or slow one costs little."""


class Cluster:
    """The processes that do sweeps over stored rows, inside `with` blocks.

    Args:
        scheduler: the address of one, such as `tcp://host:8786`, or `local`.
    """

    def __init__(self, scheduler: str = LOCAL) -> None:
        self.scheduler = scheduler
        self._processes: Processes | None = None
        self._outside: list[tuple[Any, bool]] = []
        self._run = os.urandom(8).hex()
        self._said = False

    def __enter__(self) -> Cluster:
        """Connects, unless the processes are to be started here: that waits for work.

        Raises:
            GradcliError: G071 where there is no scheduler, or none that fits.
        """
        if self.scheduler != LOCAL and self._processes is None:
            self._processes = connected(self.scheduler)
        self._outside.append((settings.runner, asked.spread))
        settings.runner, asked.spread = self.run, True
        return self

    def __exit__(self, *exception: object) -> None:
        settings.runner, asked.spread = self._outside.pop()

    def close(self) -> None:
        """Ends the connection, and processes that were started here."""
        processes, self._processes = self._processes, None
        if processes is not None:
            if self.scheduler != LOCAL:
                with suppress(Exception):
                    processes.client.run(forget, self._run, on_error="ignore")
            processes.close()

    # -- a sweep

    def run(self, sweep: Sweep, known: Known, sinks: Sinks) -> None:
        """Does a sweep: what `rows.run_here` does in this process.

        Raises:
            GradcliError: what a process raised; G072 where the cluster cannot go on.
        """
        if self._processes is None:
            self._processes = started()
        client = self._processes.client
        task, local = _divided(sweep, known)
        nodes = ordered(task)
        borders = task.borders(task.chunk_rows())
        threads = client.nthreads()
        places = [address for address in sorted(threads) for _ in range(threads[address])]
        shares = _shares(borders, 1 if task.kept else SHARES * len(places))
        here = _sent(task, client)
        targets = {node: sinks.get(node) or place(node, sweep) for node in task.kept}

        def submitted(number: int) -> Any:
            chunks, axes = shares[number], sweep.rows.axis
            first, last = chunks[0][0], chunks[-1][1]
            rows = {x: _rows(value, axes[x], first, last) for x, value in local.items()}
            sent = {nodes.index(x): Laid(part) for x, part in rows.items()}
            place = places[number * len(places) // len(shares)]
            gives = any(sink.takes(task, x, first, last) for x, sink in targets.items())
            share = Share(chunks, sent, self._run, gives)
            return client.submit(
                work, here, share, pure=False, workers=[place], allow_other_workers=True
            )

        ahead = 2 * len(places) if task.kept or local else len(shares)
        settings.watch.begin(task, borders)
        try:
            found = _in_order(submitted, len(shares), ahead)
            known.update(self._collect(task, shares, found, targets))
        finally:
            settings.watch.end()
        known.update({node: sink.value() for node, sink in targets.items()})

    def _collect(
        self, task: Task, shares: list[list[Chunk]], found: Iterator[Any], sinks: Sinks
    ) -> Known:
        """Puts what the shares give together, in the order of rows; the sums of all."""
        sweep = task.sweep
        total = Partial([Tree.of(node, sweep.rows) for node in sweep.crosses], [])
        for chunks, future in zip(shares, found, strict=True):
            done = self._result(future, chunks)
            total.merge(Partial(done.sums, []))
            for (first, last), rows in zip(chunks, done.rows, strict=False):
                for node, part in zip(task.kept, rows, strict=True):
                    room = sinks[node].room(task, node, first, last)
                    room[...] = part
                    sinks[node].write(first, room)
            if done.nan is not None and not self._said:
                self._said = True
                note(f"NaN comes from chunk {_number(shares, chunks)}: {done.nan}")
            settings.watch.done(chunks[-1][1] - chunks[0][0])
        return task.combined(total)

    def _result(self, future: Any, chunks: list[Chunk]) -> Done:
        distributed = library()
        try:
            done: Done = future.result()
        except GradcliError:
            raise
        except distributed.scheduler.KilledWorker:
            first, last = chunks[0][0], chunks[-1][1] - 1
            raise GradcliError(
                "G072",
                f"every process that computed rows {first} to {last} died",
                help="give the workers more memory, or smaller chunks: --chunk-rows N",
            ) from None
        except (OSError, distributed.CancelledError) as error:
            raise GradcliError(
                "G072",
                f"the scheduler at {self.scheduler} is gone: {type(error).__name__}",
                help="start it again, or compute here: --scheduler local",
            ) from None
        return done


def spread(scheduler: str | None = None) -> Cluster:
    """The cluster of a scheduler, by default the one that GRADCLI_SCHEDULER names.

    There is one connection a process, which stays until its end.
    """
    address = scheduler or os.environ.get("GRADCLI_SCHEDULER") or LOCAL
    if address not in _known:
        _known[address] = Cluster(address)
        library()  # its own duties at the end of the process come after ours
        atexit.register(_known[address].close)
    return _known[address]


_known: dict[str, Cluster] = {}


def _sent(task: Task, client: Any) -> Any:
    """What a share has of its task: small, the task itself, so that nobody waits for another
    process to hand it on; else the future of one that does."""
    content = pickle.dumps(task)
    return content if len(content) <= INLINE else client.submit(unpacked, content, pure=False)


def _divided(sweep: Sweep, known: Known) -> tuple[Task, Known]:
    """The task to send, and the arrays whose rows travel with each share."""
    task = Task(sweep, known)
    local = {
        node: value
        for node, value in task.values.items()
        if node in sweep.rows.axis and not _is_shared(value)
    }
    windows = {node: Window(value) for node, value in local.items()}
    return Task(sweep, {**task.values, **windows}), local


def _is_shared(value: Any) -> bool:
    """Whether other processes can read it: it lies in files that are not temporary ones."""
    if isinstance(value, Joined):
        return all(map(_is_shared, value.parts))
    if isinstance(value, View):
        return _is_shared(value.source)
    return isinstance(value, Stored) and not isinstance(value, Spill)


def _rows(value: Any, axis: int, first: int, last: int) -> Any:
    if isinstance(value, Stored):
        return value.read(axis, first, last)
    return rows_of(value, axis, first, last)


def _shares(borders: list[Chunk], count: int) -> list[list[Chunk]]:
    """Chunks that lie together, in `count` shares; one a share where `count` is 1."""
    size = 1 if count == 1 else max(1, -(-len(borders) // count))
    return [borders[i : i + size] for i in range(0, len(borders), size)]


def _in_order(submitted: Callable[[int], Any], count: int, ahead: int) -> Iterator[Any]:
    """The futures in order, of which at most `ahead` are on their way."""
    waiting = deque(submitted(number) for number in range(min(ahead, count)))
    number = len(waiting)
    while waiting:
        yield waiting.popleft()
        if number < count:
            waiting.append(submitted(number))
            number += 1


def _number(shares: list[list[Chunk]], chunks: list[Chunk]) -> int:
    return sum(len(share) for share in shares[: shares.index(chunks)])
