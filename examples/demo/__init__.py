"""The demonstration: a good model is promoted and a bad one rolled back, under real traffic through a real gateway."""
