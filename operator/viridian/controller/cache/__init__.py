"""What is known of all models and Deployments without a request. Imports no other room."""
