# Shell functions that faults share. target.py lays the variables before them. POSIX sh.
# what a TCP connection to $1 port $2 meets within 2 s: open, refused, unroutable or silence
tcp() {
  said=$(timeout 2 bash -c "exec 3<>/dev/tcp/$1/$2" 2>&1) && { echo open; return; }
  case "$said" in
    *refused*) echo refused ;;
    "") echo silence ;;
    *) echo unroutable ;;
  esac
}
# whether $1 answers an ICMP echo: answers or silence
echoes() { if ping -c1 -W1 "$1" >/dev/null 2>&1; then echo answers; else echo silence; fi; }
# packets counted by the fault's own table
counted() { $IN nft list table inet "$TABLE" | awk '/counter packets/ {for (i = 1; i < NF; i++)
  if ($i == "packets") sum += $(i + 1)} END {print sum + 0}'; }
# lay rules (standard input) as the fault's own table, replacing what it held
table() { { printf 'table inet %s\ndelete table inet %s\ntable inet %s {\n' "$TABLE" "$TABLE" "$TABLE"
  cat; echo '}'; } | $IN nft -f -; }
untable() { $IN nft delete table inet "$TABLE" 2>/dev/null || true; }
# what BIRD of the fault's family answers to a command; its client is in its container
bird_says() { bird=bird; client=birdc; [ "$IPV" = 4 ] || { bird=bird6; client=birdc6; }
  pid=$(pgrep -x $bird | head -n 1) || true
  [ -n "$pid" ] || fail "no $bird runs on $NODE: the fault needs a bed with BGP (--variant bgp)"
  chroot "/proc/$pid/root" /usr/sbin/$client -s /var/run/calico/$bird.ctl "$@" </dev/null; }
# the address $2 further than the base of block $1
within() { base=${1%/*}; case "$base" in
  *:*) printf '%s:%x' "${base%:*}" $((0x0${base##*:} + $2)) ;;
  *) printf '%s.%d' "${base%.*}" $((${base##*.} + $2)) ;; esac; }
# send an ICMP message of type $1, code $2 to $3; that it is dropped here is no error
icmp() { python3 - "$1" "$2" "$3" <<'PYTHON' || true
import socket, sys
kind, code, target = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
six = ":" in target
body = bytes([kind, code, 0, 0, 0, 0, 5, 0]) + bytes(48)
if not six:
    total = sum(int.from_bytes(body[i:i + 2], "big") for i in range(0, len(body), 2))
    body = body[:2] + (~((total & 0xFFFF) + (total >> 16)) & 0xFFFF).to_bytes(2, "big") + body[4:]
family, protocol = (socket.AF_INET6, 58) if six else (socket.AF_INET, 1)
try:
    socket.socket(family, socket.SOCK_RAW, protocol).sendto(body, (target, 0))
except PermissionError:
    pass
PYTHON
}
# ask the server $3 over UDP for records of type $1 (1 A, 28 AAAA) of $2
question() { ask "$@" | cut -d";" -f1; }
# the type of the first record that comes back
first_type() { ask "$@" | cut -d";" -f2; }
ask() { python3 - "$1" "$2" "$3" <<'PYTHON'
import socket, sys
kind, name, server = int(sys.argv[1]), sys.argv[2], sys.argv[3]
labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
query = b"\x06\x06\x01\x00\x00\x01" + bytes(6) + labels + bytes([0, 0, kind, 0, 1])
sock = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(2)
try:
    sock.sendto(query, (server, 53))
    answer = sock.recv(4096)
    records = answer[12 + len(labels) + 5:]  # behind the header and the question
    while records and not records[0] & 0xC0 and records[0]:
        records = records[records[0] + 1:]
    kind = int.from_bytes(records[2:4], "big") if records[:1] >= b"\xc0" else \
        int.from_bytes(records[1:3], "big")
    print(f"rcode {answer[3] & 15}, {int.from_bytes(answer[6:8], 'big')} answers;{kind}")
except OSError as error:
    print(f"no answer: {error};")
PYTHON
}
# what each DNS pod, also one that is ending, says over IPv6 of AAAA records of $1: "ADDRESS: rcode 0, 1 answers"
each_dns_pod() {
  for address in $(kubectl -n kube-system get pods -l k8s-app=kube-dns -o jsonpath="{.items[*].status.podIPs[*].ip}"); do
    case "$address" in *:*) echo "$address: $(question 28 "$1" "$address")" ;; esac
  done
}
# replace a ConfigMap of kube-system by the one on standard input, and start anew what reads it: deployment/coredns
reconfigure() {
  kubectl replace -f - && kubectl -n kube-system rollout restart "$1" &&
    kubectl -n kube-system rollout status "$1" --timeout=90s
}
# the network namespace of some pod on this node, or nothing
a_pod() { ip netns list | cut -d" " -f1 | head -n1; }
# print the commands that give a pod's eth0 its IPv6 back
remember_ipv6() {
  echo "ip link set dev eth0 mtu $($IN cat /sys/class/net/eth0/mtu)"
  echo "sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0"
  $IN ip -6 -o address show dev eth0 scope global | awk '{print "ip -6 address replace " $4 " dev eth0 nodad"}'
  $IN ip -6 route show default dev eth0 | awk '{print "ip -6 route replace default via " $3 " dev eth0"}'
}
# lay routes of MTU $VALUE to the pod blocks of $PEER, where they are missing: replacing one would make
# the kernel forget what it learnt. Metric 1 wins in IPv6; in IPv4 Calico's has 0, so ours goes before it.
narrow() {
  for block in $(ip -$IPV route show via "$PEER_TUNNEL" dev "$TUNNEL" | awk '!/proto 66/ {print $1}'); do
    if ip -$IPV route show "$block" proto 66 | grep -q .; then continue; fi
    if [ "$IPV" = 6 ]; then
      ip -6 route add "$block" via "$PEER_TUNNEL" dev "$TUNNEL" onlink mtu lock "$VALUE" metric 1 proto 66
    else
      ip -4 route prepend "$block" via "$PEER_TUNNEL" dev "$TUNNEL" onlink mtu lock "$VALUE" proto 66
    fi
  done
}
# have every pod of this node keep a learnt IPv6 path MTU for $1 s
hurry() {
  for netns in $(ip netns list | cut -d" " -f1); do
    ip netns exec "$netns" sysctl -qw net.ipv6.route.mtu_expires="$1" 2>/dev/null || true
  done
}
# fill this node's connection tracking with entries of our own, at most $1. The kernel drops none of them
# for new ones, since they are ASSURED; they end by themselves after ten minutes. RFC 2544's addresses.
track() { python3 - "$1" <<'PYTHON'
import random, socket, struct, sys
def attr(kind, data): return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)
def nest(kind, *parts): return attr(kind | 0x8000, b"".join(parts))
def way(kind, source, target, ports):
    protocol = attr(1, b"\x11") + attr(2, ports[:2]) + attr(3, ports[2:])
    return nest(kind, nest(1, attr(1, source), attr(2, target)), nest(2, protocol))
def entry(source):  # with a port that is filled in: create, exclusive; assured, 600 s, our mark
    here, there = bytes([198, 18, *source]), bytes([198, 19, 0, 1])
    body = way(1, here, there, b"@@\0\t") + way(2, there, here, b"\0\t@@")
    body += b"".join(attr(k, struct.pack("!I", v)) for k, v in ((3, 14), (7, 600), (8, 0x51F)))
    return struct.pack("=IHHIIBBH", 20 + len(body), 0x100, 0x601, 0, 0, 2, 0, 0) + body
def refused():
    try:
        return struct.unpack_from("=i", sock.recv(65536, socket.MSG_DONTWAIT), 16)[0]
    except BlockingIOError:
        return None
    except OSError:  # more refusals than the socket holds
        return -12
sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
left = int(sys.argv[1])
while left > 0:
    parts = entry((random.randrange(64), random.randrange(64))).split(b"@@")
    for first in range(0, min(left, 65536), 64):
        ports = (n.to_bytes(2, "big") for n in range(first, first + 64))
        sock.send(b"".join(port.join(parts) for port in ports))
        while (error := refused()) is not None:
            if error != -17:  # there is such an entry
                sys.exit(0)
    left -= 65536
PYTHON
}
# take them out again
untrack() { python3 - <<'PYTHON'
import socket, struct
marked = struct.pack("=HH", 8, 8) + struct.pack("!I", 0x51F) + struct.pack("=HH", 8, 21) + b"\xff" * 4
sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
sock.send(struct.pack("=IHHIIBBH", 20 + len(marked), 0x102, 5, 0, 0, 0, 0, 0) + marked)
error = struct.unpack_from("=i", sock.recv(65536), 16)[0]
raise SystemExit(f"connection tracking keeps our entries: error {error}" if error else 0)
PYTHON
}
# the agents of probe pods on this node, by their processes; those of host networks have other ports
agents() { pgrep -f "^python3 .*sixproof.agent serve .* tcp/8080( |$)"; }
# the folder of the control group from which process $1 has its CPU time, in cgroup v1 or v2
cpu_group() {
  group=$(awk -F: '$2 ~ /^(cpu|cpu,cpuacct|cpuacct,cpu)?$/ {print $3; exit}' "/proc/$1/cgroup" 2>/dev/null)
  for root in /sys/fs/cgroup/cpu/ /sys/fs/cgroup/; do
    [ ! -d "$root" ] || find "$root" -type d -name "${group##*/}" 2>/dev/null
  done | head -n1 | grep .
}
# give the control group in folder $1 at most $2 microseconds of CPU time a second, or all it wants: -1
cpu_limit() {
  if [ -e "$1/cpu.max" ]; then
    if [ "$2" = -1 ]; then echo "max 100000"; else echo "$2 1000000"; fi > "$1/cpu.max"
  elif [ "$2" = -1 ]; then
    echo -1 > "$1/cpu.cfs_quota_us"; echo 100000 > "$1/cpu.cfs_period_us"
  else
    echo 1000000 > "$1/cpu.cfs_period_us"; echo "$2" > "$1/cpu.cfs_quota_us"
  fi
}
fail() { echo "$*"; exit 1; }
