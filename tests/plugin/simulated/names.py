"""The DNS of a simulated cluster: what the Kubernetes DNS specification has it say of objects."""

from __future__ import annotations

import ipaddress

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from tests.plugin.simulated.objects import Manifest, Objects, family_of

ZONE = "cluster.local."
TTL = 5
_SOA = "ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5"
_TYPES = {"A": "IPv4", "AAAA": "IPv6"}
Records = dict[str, list[str]]
"""By type, what the records say."""


class Zone:
    """Names of services and endpoints, and the way back from addresses."""

    def __init__(self, objects: Objects, nameservers: tuple[str, ...]) -> None:
        self._objects = objects
        self._nameservers = nameservers

    def resolv_conf(self, namespace: str, config: Manifest | None) -> str:
        """The resolv.conf(5) of a pod."""
        servers, search = self._settings(namespace, config)
        lines = [f"search {' '.join(search)}", *(f"nameserver {s}" for s in servers)]
        return "\n".join([*lines, "options ndots:5", ""])

    def looked_up(
        self, name: str, family: str, namespace: str, config: Manifest | None
    ) -> tuple[list[str], str]:
        """What getaddrinfo finds in a pod of that namespace, and else the error."""
        search = self._settings(namespace, config)[1]
        tries = [name] if name.endswith(".") else [*(f"{name}.{s}." for s in search), f"{name}."]
        wanted = ("A", "AAAA") if family == "any" else ("A" if family == "IPv4" else "AAAA",)
        for absolute in tries:
            records = self._records(absolute.lower())
            for target in (records or {}).get("CNAME", ()):
                records = self._records(target)
            if records is None:
                continue
            found = [one for kind in wanted for one in records.get(kind, ())]
            return found, "" if found else "EAI_NODATA"
        return [], "EAI_NONAME"

    def reply(self, asked: bytes, *, stream: bool) -> bytes:
        """The answer to a question, cut where a datagram may not be so long."""
        query = dns.message.from_wire(asked)
        question = query.question[0]
        answer = dns.message.make_response(query, recursion_available=True, our_payload=1232)
        answer.flags |= dns.flags.AA
        records = self._records(question.name.to_text().lower())
        kind = dns.rdatatype.to_text(question.rdtype)
        if records is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif target := records.get("CNAME"):
            _put(answer, question.name, "CNAME", target)
            if kind in _TYPES:
                beyond = self._records(target[0]) or {}
                _put(answer, dns.name.from_text(target[0]), kind, beyond.get(kind, []))
        else:
            _put(answer, question.name, kind, records.get(kind, []))
        if not answer.answer:
            soa = dns.rrset.from_text(ZONE, TTL, "IN", "SOA", _SOA)
            answer.authority.append(soa)
        wire = answer.to_wire(max_size=65535)
        limit = max(512, query.payload if query.edns >= 0 else 512)
        if not stream and len(wire) > limit:
            answer.answer.clear()
            answer.flags |= dns.flags.TC
            wire = answer.to_wire()
        return wire

    def _settings(
        self, namespace: str, config: Manifest | None
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        if config:
            return tuple(config["nameservers"]), tuple(config["searches"])
        zone = ZONE.rstrip(".")
        return self._nameservers, (f"{namespace}.svc.{zone}", f"svc.{zone}", zone)

    def _records(self, name: str) -> Records | None:
        """The records of a name, None where it does not exist."""
        if name.endswith((".in-addr.arpa.", ".ip6.arpa.")):
            return self._back(name)
        if name == f"dns-version.{ZONE}":
            return {"TXT": ['"1.1.0"']}
        inside = f".svc.{ZONE}"
        if not name.endswith(inside):
            return {} if inside.endswith(f".{name}") else None
        *host, service, namespace = ["", "", *name.removesuffix(inside).split(".")][-4:]
        found = next(
            (
                one
                for one in self._objects.list("services", namespace)
                if one["metadata"]["name"] == service
            ),
            None,
        )
        if found is None:
            return None
        parts = [part for part in host if part]
        if not parts:
            return self._of_service(found)
        if parts[0].startswith("_") and len(parts) == 2:
            return self._of_port(found, parts[0][1:], parts[1][1:])
        return self._of_host(found, ".".join(parts))

    def _of_service(self, service: Manifest) -> Records | None:
        spec = service["spec"]
        if spec["type"] == "ExternalName":
            return {"CNAME": [spec["externalName"].rstrip(".").lower() + "."]}
        if not _headless(service):
            return _by_type(spec["clusterIPs"])
        addresses = [address for _, address in self._behind(service)]
        return _by_type(addresses) if addresses else None

    def _of_port(self, service: Manifest, port: str, protocol: str) -> Records | None:
        name = _fqdn(service)
        numbers = [
            one["port"]
            for one in service["spec"].get("ports", ())
            if (one.get("name"), one["protocol"].lower()) == (port, protocol)
        ]
        if not numbers:
            return None
        if not _headless(service):
            return {"SRV": [f"0 100 {number} {name}" for number in numbers]}
        hosts = dict.fromkeys(host for host, _ in self._behind(service))
        records = [f"0 100 {n} {host}.{name}" for n in numbers for host in hosts]
        return {"SRV": records} if records else None

    def _of_host(self, service: Manifest, host: str) -> Records | None:
        if not _headless(service):
            return None
        found = [address for named, address in self._behind(service) if named == host]
        return _by_type(found) if found else None

    def _back(self, name: str) -> Records | None:
        for service in self._objects.list("services"):
            for ip in service["spec"].get("clusterIPs", ()):
                if ip != "None" and _reverse(ip) == name:
                    return {"PTR": [_fqdn(service)]}
        named = [
            f"{host}.{_fqdn(service)}"
            for service in self._objects.list("services")
            if service["spec"]["type"] != "ExternalName" and _headless(service)
            for host, address in self._behind(service)
            if _reverse(address) == name
        ]
        return {"PTR": named} if named else None

    def _behind(self, service: Manifest) -> list[tuple[str, str]]:
        """The ready endpoints of a service: host name, or what stands for it, and address."""
        meta = service["metadata"]
        label = f"kubernetes.io/service-name={meta['name']}"
        return [
            (entry.get("hostname") or address.replace(".", "-").replace(":", "-"), address)
            for found in self._objects.list("endpointslices", meta["namespace"], label)
            for entry in found["endpoints"]
            if entry["conditions"]["ready"]
            for address in entry["addresses"]
        ]


def _headless(service: Manifest) -> bool:
    return bool(service["spec"].get("clusterIP") == "None")


def _fqdn(service: Manifest) -> str:
    meta = service["metadata"]
    return f"{meta['name']}.{meta['namespace']}.svc.{ZONE}"


def _by_type(addresses: list[str]) -> Records:
    return {
        kind: [a for a in addresses if family_of(a) == family] for kind, family in _TYPES.items()
    }


def _reverse(address: str) -> str:
    return f"{ipaddress.ip_address(address).reverse_pointer}."


def _put(answer: dns.message.Message, name: dns.name.Name, kind: str, texts: list[str]) -> None:
    if texts:
        answer.answer.append(dns.rrset.from_text(name, TTL, "IN", kind, *dict.fromkeys(texts)))
