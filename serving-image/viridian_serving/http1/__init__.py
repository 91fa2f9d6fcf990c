"""HTTP/1.1: server, client, messages and problem documents; imports nothing of this distribution's."""
