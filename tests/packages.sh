#!/bin/sh
# Installs what the tests in network namespaces use, where that is possible; says what is missing.
missing=
for pair in ip:iproute2 nft:nftables setpriv:util-linux tcpdump:tcpdump; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "sixproof: installing$missing (Debian packages for the namespace tests)"
    apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $missing >/dev/null
else
    echo "sixproof: not installed:$missing; tests in network namespaces will be skipped"
fi
