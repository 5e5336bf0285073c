"""BGP: the sessions of every node, and traffic from behind a router that learns their routes."""
