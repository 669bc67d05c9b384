"""Every way to name a server, and servers of every kind: alone, watched by sentinels, in a cluster."""
