"""What messages share."""

from __future__ import annotations


class Record:
    """A message: equal to one of its class with the same fields, and shown with all of them.

    A dataclass would bring these for itself. That they are here once, and not made for each of
    fifty classes, takes a tenth off the start of an agent.
    """

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({fields})"
