// Command heaps builds a heap of which everything that a reader could say of it is known: objects by type, who owns how much, garbage, collections, copies of one
// content and what only looks like it, memory that is kept and not used. It writes what it planted to the file that is named (truth.json), prints READY and waits
// until its input ends.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
)

// truth is what was planted; HeapAlloc of the last collection is added as heap_alloc.
type truth struct {
	Garbage amount  `json:"garbage"`
	Types   []kind  `json:"types"`
	Owners  []owner `json:"owners"`
	// Objects that only the function of a finalizer holds.
	Finalizers amount       `json:"finalizers"`
	Copies     []copies     `json:"copies"`
	NotCopies  []collection `json:"not_copies"`
	Waste      []waste      `json:"waste"`
	// Owners of whose memory nothing is wasted.
	Thrifty []string     `json:"thrifty"`
	Census  []collection `json:"census"`
}

// amount of objects: their number, and the bytes of their slots.
type amount struct {
	Objects uint64 `json:"objects"`
	Bytes   uint64 `json:"bytes"`
}

// kind is all live objects of a type, as %T spells it.
type kind struct {
	Type string `json:"type"`
	amount
}

// owner is a package variable and what it alone keeps alive.
type owner struct {
	Name string `json:"name"`
	amount
}

// copies of one content.
type copies struct {
	Type     string `json:"type"`
	Copies   int    `json:"copies"`
	Elements int    `json:"elements"`
	// Of all of them, measured.
	Bytes uint64 `json:"bytes"`
	// Function whose goroutines hold one each, if any; and the one that built them.
	Holder string `json:"holder"`
	Site   string `json:"site"`
}

// collection of a variable; no two that are planted have the same type and as many elements.
type collection struct {
	Owner    string `json:"owner"`
	Type     string `json:"type"`
	Elements int    `json:"elements"`
	// Elements that it has room for; 0 where only the runtime knows.
	Room int `json:"room"`
}

// waste is memory that is kept alive and not used.
type waste struct {
	Kind  string `json:"kind"`
	Owner string `json:"owner"`
	// The goroutines' function, where no variable owns it.
	Holder string `json:"holder"`
	Type   string `json:"type"`
	Count  uint64 `json:"count"`
	Kept   uint64 `json:"kept"`
	Used   uint64 `json:"used"`
}

var (
	found   truth
	release = make(chan struct{})
)

// measure says what a function leaves behind in the heap.
func measure(build func()) amount {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	build()
	overwrite(200)
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return amount{after.HeapObjects - before.HeapObjects, after.HeapAlloc - before.HeapAlloc}
}

// near ends the program where what was reckoned is not what the runtime counts: an oracle that errs is worse than none.
func near(name string, reckoned, measured amount) {
	off := func(a, b uint64) bool { return a > b+b/200+8192 || b > a+a/200+8192 }
	if off(reckoned.Bytes, measured.Bytes) || off(reckoned.Objects, measured.Objects) {
		panic(fmt.Sprint(name, ": ", reckoned, " reckoned, ", measured, " measured"))
	}
}

// overwrite leaves nothing of earlier calls on the stack.
//
//go:noinline
func overwrite(n int) int {
	var frame [64]int
	frame[n%64] = n
	if n > 0 {
		frame[0] += overwrite(n - 1)
	}
	return frame[0] + frame[n%64]
}

func main() {
	plantTypes()
	plantOwners()
	plantCensus()
	plantCopies()
	plantWaste()
	found.Garbage = discard()
	// Written down before the last collection: what that leaves behind is no garbage of ours.
	text, err := json.Marshal(found)
	if err != nil {
		panic(err)
	}
	overwrite(200)
	runtime.GC()
	runtime.GC()
	debug.SetGCPercent(-1)
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	head := `{"heap_alloc":` + strconv.FormatUint(stats.HeapAlloc, 10) + ","
	discard()
	overwrite(200)
	if err := os.WriteFile(os.Args[1], append([]byte(head), text[1:]...), 0o600); err != nil {
		panic(err)
	}
	// What refers to the profile keeps it.
	if pprof.Lookup("heap") == nil {
		panic("no heap profile")
	}
	fmt.Println("READY")
	io.Copy(io.Discard, os.Stdin)
}
