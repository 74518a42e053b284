import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from initsk.utils.workers import later_interrupt, stopped_quietly

pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="signals of POSIX")


@pytest.fixture
def _other_thread():
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    yield
    end.set()
    thread.join()


@pytest.mark.usefixtures("_other_thread")
def test_an_interrupt_arrives_after_the_block_also_beside_other_threads():
    reached = []

    def block():
        with later_interrupt():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
            reached.append(True)

    with pytest.raises(KeyboardInterrupt):
        block()
    assert reached
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_wins_over_an_error_of_the_block():
    def block():
        with later_interrupt():
            os.kill(os.getpid(), signal.SIGINT)
            raise ValueError("error")

    with pytest.raises(KeyboardInterrupt):
        block()


def test_the_handler_of_the_caller_gets_the_interrupt():
    numbers = []
    before = signal.signal(signal.SIGINT, lambda number, frame: numbers.append(number))
    try:
        with later_interrupt():
            os.kill(os.getpid(), signal.SIGINT)
            assert numbers == []
        assert numbers == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_process_started_in_the_block_gets_no_interrupt():
    code = "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('alive')"
    with later_interrupt():
        finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout == "alive\n"


def test_nothing_changes_without_an_interrupt():
    handler, blocked = signal.getsignal(signal.SIGINT), signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with later_interrupt():
        pass
    assert signal.getsignal(signal.SIGINT) is handler
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == blocked


def fail(error):
    raise error


def test_only_the_missing_work_of_joblibs_thread_is_kept_quiet(monkeypatch):
    reported = []
    monkeypatch.setattr(threading, "excepthook", lambda args: reported.append((args.thread.name, args.exc_type)))
    before = threading.excepthook
    for name in ("ExecutorManagerThread", "worker"):
        for error in (KeyError(1), ValueError("error")):
            with stopped_quietly():
                thread = threading.Thread(target=fail, args=(error,), name=name)
                thread.start()
                thread.join()
    assert reported == [("ExecutorManagerThread", ValueError), ("worker", KeyError), ("worker", ValueError)]
    assert threading.excepthook is before
