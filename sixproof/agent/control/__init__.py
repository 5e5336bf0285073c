"""Control: the requests of runners, over a Unix socket, and the bridge that leads to it."""
