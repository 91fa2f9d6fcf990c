"""What is answered on which port, and what becomes of it; may import telemetry and everything below."""
