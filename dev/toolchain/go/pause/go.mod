module viridian.dev/dev/pause

go 1.25.0
