module l2probe.test/pause

go 1.24.0
