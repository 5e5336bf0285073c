"""Building the Go programs of the bed from pinned modules, with a count and the time left."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from testbed.errors import BedError
from testbed.host import command
from testbed.host.progress import Count

MODULES = Path(__file__).parent / "modules"
KUBERNETES_VERSION = "v1.34.4"
ETCD_VERSION = "3.6.13"
COREDNS_VERSION = "v1.13.1"
CALICO_VERSION = "v3.31.0"
CALICO_MODULE = "github.com/projectcalico/calico"
METALLB_VERSION = "v0.15.2"
METALLB_MODULE = "go.universe.tf/metallb"
GO_REMEDY = (
    "install Go 1.25 or newer and see that `go env GOPROXY` is a module proxy this machine reaches;"
    " then run the same command again, it goes on where it stopped"
)
ENVIRONMENT = {"CGO_ENABLED": "0", "GOGC": "400", "GOFLAGS": "-buildvcs=false -mod=readonly"}


def _kubernetes_flags() -> str:
    major, minor, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
    values = {
        "gitVersion": KUBERNETES_VERSION,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "gitCommit": "0" * 40,
        "buildDate": "2026-01-01T00:00:00Z",
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    sets = [
        f"-X {package}.{name}={value}" for package in packages for name, value in values.items()
    ]
    return " ".join(["-s -w", *sets])


@dataclass(frozen=True, slots=True)
class Module:
    """One go.mod of the bed and what is built from it."""

    name: str
    targets: tuple[str, ...]
    programs: tuple[str, ...]
    flags: str = "-s -w"

    @property
    def folder(self) -> Path:
        return MODULES / self.name


RUNTIME = Module("runtime", (".",), ("runtime",))
KIND = Module("kubernetes", ("sigs.k8s.io/kind",), ("kind",))
KUBERNETES = Module(
    "kubernetes",
    ("./cmd/...", "tool"),
    ("coredns", "kind", "kube", "loopback", "portmap", "server"),
    _kubernetes_flags(),
)
CALICO = Module(
    "calico",
    ("tool",),
    (
        *("apiserver", "calico", "calico-node", "check-status", "install", "kube-controllers"),
        *("host-local", "ptp"),  # the CNI project's, which Calico's plugin requires as well
    ),
    f"-s -w -X github.com/projectcalico/calico/pkg/buildinfo.Version={CALICO_VERSION}",
)
METALLB = Module("metallb", ("tool",), ("controller", "speaker"))


def go_version() -> str:
    """`go1.26.8`; raises BedError without a Go tool chain."""
    seen = command.attempt(["go", "env", "GOVERSION"])
    if not seen.ok:
        raise BedError("the Go tool chain", seen=seen.tail(), remedy=GO_REMEDY)
    return seen.out.strip()


def key(module: Module, version: str) -> str:
    """Names a build by all its inputs: sources, flags, tool chain."""
    digest = hashlib.sha256()
    for path in sorted(module.folder.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(module.folder)}\0".encode())
            digest.update(path.read_bytes())
    digest.update(repr((module.targets, module.flags, sorted(ENVIRONMENT.items()))).encode())
    digest.update(version.encode())
    return digest.hexdigest()[:16]


def source(module: Module, path: str) -> Path:
    """The folder of a required module's files in Go's cache; BedError where it is not served."""
    found = command.run(
        ["go", "mod", "download", "-json", path],
        env=ENVIRONMENT,
        cwd=module.folder,
        remedy=GO_REMEDY,
    )
    folder = json.loads(found.out).get("Dir")
    if not folder:
        raise BedError(f"the module {path}", seen=found.tail(), remedy=GO_REMEDY)
    return Path(folder)


def pending(module: Module, env: Mapping[str, str]) -> int:
    """How many packages `go install -v` will name: those whose compiled form is not cached."""
    listed = command.run(
        [
            *("go", "list", "-deps", "-trimpath", "-ldflags", module.flags),
            *("-f", "{{if .Stale}}{{.ImportPath}}{{end}}", *module.targets),
        ],
        env=env,
        cwd=module.folder,
        timeout=1800,
        remedy=GO_REMEDY,
    )
    return len(set(filter(None, listed.out.splitlines())))


def build(module: Module, into: Path, report: Callable[[str], None]) -> Path:
    """Return the folder with the module's programs, building them when its key is new."""
    done = into / f"{module.name}-{key(module, go_version())}"
    if all((done / program).is_file() for program in module.programs):
        return done
    part = done.with_suffix(".part")
    part.mkdir(parents=True, exist_ok=True)
    env = {**ENVIRONMENT, "GOBIN": str(part)}
    report("fetching modules")
    _download(module, env, report)
    report("counting packages")
    count = Count(pending(module, env), "packages")
    report(str(count) if count.total else "linking")
    _install(module, env, count, report)
    missing = [program for program in module.programs if not (part / program).is_file()]
    if missing:
        raise BedError(
            f"{module.name} to yield {', '.join(module.programs)}", seen=f"no {', '.join(missing)}"
        )
    shutil.rmtree(done, ignore_errors=True)
    part.rename(done)
    return done


def _download(module: Module, env: Mapping[str, str], report: Callable[[str], None]) -> None:
    """Fetch what the targets import (not every module of the graph), naming each as it arrives."""
    lines = _lines(["go", "list", "-deps", "-f", "{{.Name}}", *module.targets], module, env)
    fetched = 0
    for line in lines:
        if line.startswith("go: downloading "):
            fetched += 1
            report(f"{fetched} modules fetched, now {line.split()[2]}")


def _install(
    module: Module, env: Mapping[str, str], count: Count, report: Callable[[str], None]
) -> None:
    flags = ["-v", "-trimpath", "-ldflags", module.flags]
    for line in _lines(["go", "install", *flags, *module.targets], module, env):
        if re.fullmatch(r"[\w.\-/~]+", line):
            count.advance()
            report(str(count) if count.done < count.total else "linking")


def _lines(argv: list[str], module: Module, env: Mapping[str, str]) -> Iterator[str]:
    """Yield the output of `argv` on either stream; raise BedError with its end when it fails."""
    said: deque[str] = deque(maxlen=command.TAIL_LINES)
    with subprocess.Popen(
        argv,
        cwd=module.folder,
        env=command.environment(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                said.append(line.rstrip())
                yield said[-1]
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise BedError(
            f"`{' '.join(argv[:3])} ...` in {module.folder.name} to succeed",
            seen=f"exit status {process.returncode}: " + "\n        ".join(said),
            remedy=GO_REMEDY,
        )
