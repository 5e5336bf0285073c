"""How late the event loop was."""

from __future__ import annotations

import asyncio
import collections


class Lag:
    """The worst delay of the event loop: an agent's slowness must not pass for the network's."""

    STEP = 0.05

    def __init__(self) -> None:
        self._samples: collections.deque[tuple[float, float]] = collections.deque(maxlen=2000)

    async def watch(self) -> None:
        """Sample for ever."""
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(self.STEP)
            now = loop.time()
            self._samples.append((now, now - before - self.STEP))

    def since(self, moment: float) -> float:
        """The worst delay in seconds since a moment of the loop's clock."""
        return max((lag for at, lag in self._samples if at >= moment), default=0.0)
