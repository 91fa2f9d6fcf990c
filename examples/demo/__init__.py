"""The demonstration: a good model is promoted and a bad one taken back, under real traffic through a real gateway."""
