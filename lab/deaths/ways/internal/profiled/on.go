//go:build !unprofiled

// Package profiled has the linker keep the memory profile, as any program has that refers to it.
package profiled

import "runtime"

func init() { runtime.MemProfile(nil, true) }
