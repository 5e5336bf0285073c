"""Small files: of the kernel, of the pod, and the run's key."""


def read(path: str) -> str:
    """A small file, empty where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read(1 << 20)
    except OSError:
        return ""
