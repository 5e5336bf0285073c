"""Control: the requests of runners, over a Unix socket."""
