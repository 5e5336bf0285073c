"""The agent: server, client and witness in one unprivileged process of a probe pod.

Delivered by ConfigMap in the folders of this package, and by Secret the run's key, without which it
does not serve. It runs as any user with every capability dropped and a read-only root:

``python3 -m sixproof.agent serve SOCKET PORT...``
    answers probes on ports such as ``tcp/8080`` in both families (``tcp4/8080`` and ``tcp6/8080``:
    in one), keeps the arrival log, and obeys requests that come over the Unix socket.

control/bridge.py connects an exec stream to that socket, which is there once every port listens.
The agent opens no network port for control, executes no command and reads only files named in its
source. What it says and answers on the ports is in wire.py; probes without the run's tag are
counted and not answered.
"""

import sys
import typing

sys.modules.setdefault("ssl", typing.cast(typing.Any, None))  # asyncio without it takes 5 MB less

from sixproof.agent.control.serve import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
