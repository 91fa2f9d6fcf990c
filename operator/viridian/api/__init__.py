"""The resource `ModelDeployment`: what users write, what they read back, and the schema generated from both."""
