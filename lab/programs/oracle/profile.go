//go:build !nopprof

package main

import (
	"fmt"
	"runtime"
	_ "runtime/pprof"
)

// profile is what runtime.MemProfile says. A program that links it keeps a profile.
func profile() []record {
	n, _ := runtime.MemProfile(nil, true)
	records := make([]runtime.MemProfileRecord, n+200)
	n, _ = runtime.MemProfile(records, true)
	var out []record
	for _, r := range records[:n] {
		rec := record{AllocObjects: r.AllocObjects, AllocBytes: r.AllocBytes, FreeObjects: r.FreeObjects, FreeBytes: r.FreeBytes}
		if stk := r.Stack(); len(stk) > 0 {
			frames := runtime.CallersFrames(stk)
			for {
				f, more := frames.Next()
				rec.Stack = append(rec.Stack, fmt.Sprintf("%s %s:%d", f.Function, f.File, f.Line))
				if !more {
					break
				}
			}
		}
		out = append(out, rec)
	}
	return out
}
