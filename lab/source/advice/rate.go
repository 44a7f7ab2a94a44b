package main

import "runtime"

// Before anything else allocates: all of it is in the profile.
var _ = func() int { runtime.MemProfileRate = 1; return 0 }()
