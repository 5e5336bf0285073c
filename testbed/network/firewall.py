"""The fence of the bed, one nft table: its bridge reaches nothing but itself, in both families."""

from __future__ import annotations

from testbed.host import command

REMEDY = "install nftables and use a kernel with nf_tables (CONFIG_NF_TABLES_INET)"


def table(bridge: str) -> str:
    """The name of the fence's table."""
    return f"six_fence_{bridge.replace('-', '_')}"


def rules(bridge: str) -> str:
    """nft rules: nothing forwarded off the bridge, nothing new from it to this machine but ICMP."""
    return f"""
table inet {table(bridge)}
delete table inet {table(bridge)}
table inet {table(bridge)} {{
  chain forward {{
    type filter hook forward priority -10; policy accept;
    iifname "{bridge}" oifname != "{bridge}" counter reject
    oifname "{bridge}" iifname != "{bridge}" counter reject
  }}
  chain input {{
    type filter hook input priority -10; policy accept;
    iifname != "{bridge}" accept
    ct state established,related accept
    meta l4proto {{ icmp, ipv6-icmp }} accept
    counter reject
  }}
}}
"""


def raise_fence(bridge: str) -> None:
    """Set up the fence; doing it again replaces it."""
    command.run(["nft", "-f", "-"], stdin=rules(bridge), remedy=REMEDY)


def standing(bridge: str) -> bool:
    return command.attempt(["nft", "list", "table", "inet", table(bridge)]).ok


def remove(bridge: str) -> None:
    """Remove the fence, if there is one."""
    command.attempt(["nft", "delete", "table", "inet", table(bridge)])
