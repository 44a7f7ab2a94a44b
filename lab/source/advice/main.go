// Sites that allocate, each as it is and with the cure that `lastgasp escapes` advises, applied by hand: what
// was predicted is held against what it saved (`cargo xtask bench-advice`).
//
// A site is a file with two functions that do the same. Everything is counted: the profile samples each
// allocation, and the runtime's own counters tell what a run allocated in all.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
)

// site is a line as it is, and cured.
type site struct {
	name   string
	as, by func(n int) int
}

var sites = []site{
	{"returned", returnedAsIs, returnedCured},
	{"sent", sentAsIs, sentCured},
	{"inslice", insliceAsIs, insliceCured},
	{"appended", appendedAsIs, appendedCured},
	{"filled", filledAsIs, filledCured},
	{"dynamic", dynamicAsIs, dynamicCured},
	{"boxed", boxedAsIs, boxedCured},
	{"buffer", bufferAsIs, bufferCured},
	{"scratch", scratchAsIs, scratchCured},
	{"large", largeAsIs, largeCured},
}

const times = 2000

func main() {
	name := flag.String("site", "", "name of a site; without: all names")
	cured := flag.Bool("cured", false, "with the cure")
	profile := flag.String("profile", "", "file for the heap profile")
	flag.Parse()
	var chosen *site
	for i := range sites {
		if *name == "" {
			fmt.Println(sites[i].name)
		} else if sites[i].name == *name {
			chosen = &sites[i]
		}
	}
	if chosen == nil {
		if *name != "" {
			os.Exit(2)
		}
		return
	}
	run := chosen.as
	if *cured {
		run = chosen.by
	}
	run(7) // what is made once and kept is not the site's
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	sum := 0
	for i := 0; i < times; i++ {
		sum += run(1000 + i%500)
	}
	runtime.ReadMemStats(&after)
	if *profile != "" {
		runtime.GC()
		runtime.GC()
		f, err := os.Create(*profile)
		if err == nil {
			err = pprof.Lookup("allocs").WriteTo(f, 0)
		}
		if err != nil {
			panic(err)
		}
	}
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{
		"bytes":   after.TotalAlloc - before.TotalAlloc,
		"objects": after.Mallocs - before.Mallocs,
		"sum":     sum,
	})
}
