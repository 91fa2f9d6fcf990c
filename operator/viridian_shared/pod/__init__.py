"""What a pod is given and how it ends: its variables, paths, ports, probes and exit codes."""
