module viridian.dev/dev/pod-targets

go 1.25.0
