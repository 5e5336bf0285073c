"""The error tree. Three kinds stay apart: you, the cluster, the finding.

::

    SixproofError
      UsageError               you asked for something impossible (options, files)
        ManifestError          a manifest is wrong; carries the path inside it
      InfrastructureError      the cluster or the harness failed; never a network verdict
        ClusterUnreachable     no kubeconfig, wrong context, API server down
        ApiError               the API server refused or failed a request
          NoAnswer             no answer came
        NotReady               an object did not become ready in time
        ChannelLost            the control channel to an agent broke
          AgentSilent          it did not answer within its time-out
        AgentError             an agent answered that it could not carry out a request
        NotMeasured            a check's answers are all UNKNOWN
      NotAsked                 the check does not apply to this cluster, or nothing was carried
      KnownLimit               the network plugin is known not to do what the API asks for
      RecordError              JSON does not have the form of a record; carries the path inside it
      TextError                a text is not readable YAML; the caller says whose text it is
    VerdictError (AssertionError)   the finding: the network did not do what it must

pytest and Allure show `AssertionError` as *failed* and everything else as *broken*; the tree keeps
the two meaningful.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

LONGEST = 300
"""Maximum length of a reason, whatever is quoted in it."""


def brief(text: str, at_most: int = LONGEST) -> str:
    """The text on one line; a long one is cut in the middle."""
    if len(text) > at_most:
        half = (at_most - 1) // 2
        text = f"{text[:half]}…{text[-half:]}"
    return " ".join(text.split())


def led_to(error: BaseException | None) -> Iterator[BaseException]:
    """An error and its causes, the last one first; nothing for None."""
    while error is not None:
        yield error
        error = error.__cause__


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """What an error or a verdict is about.

    `kind` is ``node``, ``pod`` or the kind of another object, `name` its name, with the namespace
    where it has one (``shop/web``); `node` is where it lives, "" where it is on none; `part` is the
    part in question: a device, an address.
    """

    kind: str
    name: str
    node: str = ""
    part: str = ""

    @classmethod
    def of_node(cls, name: str, part: str = "") -> Subject:
        """A node, or a part of it."""
        return cls("node", name, name, part)

    @classmethod
    def of_pod(cls, namespace: str, name: str, node: str) -> Subject:
        """A pod by its object, ready or not."""
        return cls("pod", f"{namespace}/{name}", node)

    @property
    def place(self) -> str:
        """Its name in a sentence: ``node worker``, ``IPPool blue``."""
        return f"{self.kind} {self.name}".strip()


class SixproofError(Exception):
    """Root of everything that sixproof itself raises, except verdicts."""


class UsageError(SixproofError):
    """The user asked for something that cannot be carried out."""


class ManifestError(UsageError):
    """A manifest is wrong; `path` names the place: ``spec.ingress[0].from[1].ipBlock``."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}" if path else reason)


class InfrastructureError(SixproofError):
    """The cluster or the harness failed; says nothing about the network under test.

    `subjects` are the pods and nodes involved, where known.
    """

    def __init__(self, message: str = "", *, subjects: Iterable[Subject] = ()) -> None:
        self.subjects = tuple(dict.fromkeys(subjects))
        super().__init__(message)


class ClusterUnreachable(InfrastructureError):
    """No usable API server: no kubeconfig, unknown context, refused or silent server."""


class ApiError(InfrastructureError):
    """The API server refused or failed one request.

    `status` is the HTTP status (0 where no answer came), `reason` the API's machine-readable one.
    """

    def __init__(self, message: str, *, status: int = 0, reason: str = "") -> None:
        self.status = status
        self.reason = reason
        super().__init__(message)


class NoAnswer(ApiError):
    """No answer came (status 0). `sent` states whether the server may have seen the request,
    `silent` that it was connected and did not answer, `behind` that another server, behind the API
    server and over the cluster's network, had to answer: an extension server, a kubelet."""

    def __init__(
        self, message: str, *, sent: bool, silent: bool = False, behind: bool = False
    ) -> None:
        self.sent = sent
        self.silent = silent
        self.behind = behind
        super().__init__(message)


class NotReady(InfrastructureError):
    """An object did not become ready in time. The message holds the reason from its events."""


class ChannelLost(InfrastructureError):
    """The control channel to an agent broke; what was in flight is UNKNOWN."""


class AgentSilent(ChannelLost):
    """An agent did not answer within its time-out."""


class AgentError(InfrastructureError):
    """An agent answered a request with an error."""


class NotMeasured(InfrastructureError):
    """What differs from a check's expectation could not be measured; the message is the
    evidence."""


class NotAsked(SixproofError):
    """A check without a result: it does not apply to this cluster, or nothing of it was carried.

    `enable` says how to make the check apply, "" where this cluster cannot. `unproven` means that
    it did apply, but nothing of some family was carried; `families` says which (``IPv6``), empty
    where that may be any.
    """

    def __init__(
        self,
        reason: str,
        enable: str = "",
        unproven: bool = False,
        families: Iterable[str] = (),
    ) -> None:
        self.reason = reason
        self.enable = enable
        self.unproven = unproven
        self.families = frozenset(families)
        super().__init__(reason)


class KnownLimit(SixproofError):
    """What was seen violates the API, and is known of this network plugin."""


class RecordError(SixproofError):
    """JSON does not have the form of a record; `path` names the member: ``nodes[0].name``."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}" if path else reason)


class TextError(SixproofError):
    """A text is not readable YAML: in which document, on which line (both from 1), and why."""

    def __init__(self, reason: str, document: int, line: int) -> None:
        self.reason = brief(reason)
        self.document = document
        self.line = line
        super().__init__(f"document {document}, line {line}: {self.reason}")


class VerdictError(AssertionError):
    """The network did not do what it must; the message is the evidence.

    `families` are those of the wrong answers (``IPv6``), empty where they have none; `categories`
    the classes of failure by which reports file it (``DNS``); `subjects` what it is about where no
    cell of a matrix says so.
    """

    def __init__(
        self,
        message: str,
        families: Iterable[str] = (),
        categories: Iterable[str] = (),
        *,
        subjects: Iterable[Subject] = (),
    ) -> None:
        self.families = frozenset(families)
        self.categories = frozenset(categories)
        self.subjects = tuple(dict.fromkeys(subjects))
        super().__init__(message)
