"""The page: all models at a glance and one model in detail, in a browser on the user's own machine."""
