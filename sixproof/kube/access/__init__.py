"""Access: kubeconfig, credentials, proxy and TLS, read as client-go and kubectl read them."""
