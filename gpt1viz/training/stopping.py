"""Asking a run to end: Ctrl-C, SIGTERM, the end of standard input. It finishes its step and saves."""

import os
import signal
import sys
import threading


class Stopper:
    """Within its `with` block signals do not kill: `reason` says what has been asked for, None as long as nothing.

    A second Ctrl-C does interrupt. Outside of the main thread signals cannot be caught and go where they went before.

    Args:
        watch_stdin: the end of standard input is a request too: started with a pipe, a process ends with its parent.
    """

    SIGNALS = ("SIGINT", "SIGTERM", "SIGBREAK")  # the last is Windows' Ctrl-Break

    def __init__(self, watch_stdin: bool = False):
        self.reason: str | None = None
        self._watch_stdin = watch_stdin
        self._before: dict = {}

    def __enter__(self) -> "Stopper":
        if threading.current_thread() is threading.main_thread():
            numbers = [getattr(signal, name) for name in self.SIGNALS if hasattr(signal, name)]
            self._before = {number: signal.signal(number, self._caught) for number in numbers}
        if self._watch_stdin:
            threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, *fault) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _caught(self, number: int, frame) -> None:
        self.reason = signal.Signals(number).name
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    def _read(self) -> None:
        while os.read(sys.stdin.fileno(), 1024):  # not sys.stdin.read: its lock, still held at exit, aborts Python
            pass
        self.reason = "stdin"
