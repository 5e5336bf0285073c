"""The launcher: runs an agent where no Kubernetes does, for as long as its standard input is open.

It is handed to ``python3 -c`` in a container beside the cluster. The first line of its input is a
JSON object: the ``files`` of the agent by path, the arguments with which Python starts it there
(``serve``), the ``port_specs`` that it serves and the ``name`` by which it answers. It prints the
folder of the agent's files and socket once the agent is there. When its input ends, as it does when
its parent is killed, the agent ends and the folder is removed.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading


def main() -> int:
    """Entry point; ends with the agent's status where that ends first."""
    asked = json.loads(sys.stdin.readline())
    home = tempfile.mkdtemp(prefix="sixproof-")
    try:
        for path, text in asked["files"].items():
            target = os.path.join(home, path)  # noqa: PTH118 - nothing heavy is imported
            os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
            with open(target, "w", encoding="utf-8") as file:  # noqa: PTH123
                file.write(text)
        sock = os.path.join(home, "agent.sock")  # noqa: PTH118
        command = [sys.executable, *asked["serve"], sock, *asked["port_specs"]]
        environment = {"PATH": os.defpath, "SIXPROOF_POD": asked["name"]}
        agent = subprocess.Popen(command, cwd=home, env=environment, stdin=subprocess.DEVNULL)
        print(home, flush=True)  # noqa: T201
        threading.Thread(target=_end_with_input, args=(agent,), daemon=True).start()
        return agent.wait()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _end_with_input(agent: "subprocess.Popen[bytes]") -> None:
    sys.stdin.read()
    agent.kill()


if __name__ == "__main__":
    sys.exit(main())
