"""Generates the CRD and the API reference from the models. May import `viridian.api`; nothing else imports it."""
