"""The page of `kubectl viridian dashboard` as a Deployment: to read, for whom a proxy in front lets in."""
