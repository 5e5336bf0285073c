"""What rules do to packets: nftables and iptables, kube-proxy's and Calico's chains, NAT."""
