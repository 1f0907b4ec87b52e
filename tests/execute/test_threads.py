"""Pieces of work on threads: each is done once, whatever is found out about threads meanwhile."""

from __future__ import annotations

import gc
import weakref

import pytest

from gradcli.execute import threads
from gradcli.execute.threads import Crew, on_threads


@pytest.fixture(params=[0, 1, 2, 5], ids="threads={}".format)
def _asked(request, monkeypatch):
    monkeypatch.setattr(threads, "THREADS", [request.param])


@pytest.mark.usefixtures("_asked")
@pytest.mark.parametrize("count", [0, 1, 5, 12, 13, 100])
def test_each_piece_is_done_once_in_every_run(count: int) -> None:
    crew = Crew()
    for _ in range(8):
        done: list[int] = []
        on_threads(count, lambda done=done: done.append, crew=crew)
        assert sorted(done) == list(range(count))


@pytest.mark.usefixtures("_asked")
@pytest.mark.parametrize("place", [0, 2, 3, 50, 99])
def test_what_a_worker_raises_comes_out(place: int) -> None:
    def worker(number: int) -> None:
        if number == place:
            raise ZeroDivisionError(number)

    for _ in range(4):
        with pytest.raises(ZeroDivisionError):
            on_threads(100, lambda: worker, crew=Crew())


@pytest.mark.usefixtures("_asked")
def test_nothing_of_a_run_outlives_it() -> None:
    """What workers hold are arrays, which may be as large as memory."""

    class Worker:
        def __call__(self, number: int) -> None:
            pass

    crew = Crew()
    gc.disable()
    try:
        for _ in range(4):
            worker = Worker()
            gone = weakref.ref(worker)
            on_threads(40, lambda worker=worker: worker, crew=crew)
            del worker
            assert gone() is None
    finally:
        gc.enable()
