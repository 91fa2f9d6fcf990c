"""Entry points of the containers and of the laptop; may import everything below."""
