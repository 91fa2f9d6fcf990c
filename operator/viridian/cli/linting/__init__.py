"""What is wrong or risky in a manifest, found without a cluster."""
