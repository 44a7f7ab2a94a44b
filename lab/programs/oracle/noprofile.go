//go:build nopprof

package main

// Without runtime.MemProfile in the program the linker switches the profile off (cmd/link, `disableMemoryProfiling`).
func profile() []record { return nil }
