"""A thread beside Huey's own: one in a worker process, however many of those there are."""

import threading
from abc import ABC, abstractmethod


class OneThread(ABC):
    """Begun by the first of Huey's threads that starts it, ended with the last that stops it."""

    name: str
    waits = 0.0
    """Seconds that the last one to stop it waits for what is in hand."""

    def __init__(self) -> None:
        self.users = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Called by each of Huey's threads as it begins."""
        with self._lock:
            self.users += 1
            if self.users == 1:
                self._stopping = threading.Event()
                self._thread = threading.Thread(
                    target=self.run, args=(self._stopping,), name=self.name, daemon=True
                )
                self._thread.start()

    def stop(self) -> None:
        """Called by each of them as it ends: Huey starts one again that died. What is under way
        ends by itself.
        """
        with self._lock:
            self.users -= 1
            if self.users > 0 or self._thread is None:
                return
            self._stopping.set()
            thread = self._thread
        thread.join(self.waits)

    @abstractmethod
    def run(self, stopping: threading.Event) -> None:
        """Go on until that is set."""
