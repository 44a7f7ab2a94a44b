// Command big is as large as asked: -sites allocation stacks, -heap bytes behind them, -goroutines parked. It prints READY and stands still until its input
// ends. Stacks are as deep as -depth says. (Run it with GODEBUG=memprofilerate=4096, or most sites are never sampled.)
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
)

var kept [][]*[1024]byte

// site allocates at the end of a path of calls that the bits of path choose: 2^depth different stacks.
func site(path, depth, objects int) []*[1024]byte {
	if depth == 0 {
		out := make([]*[1024]byte, objects)
		for i := range out {
			out[i] = new([1024]byte)
			out[i][0] = 1
		}
		return out
	}
	if path&1 == 0 {
		return site(path>>1, depth-1, objects)
	}
	return site(path>>1, depth-1, objects)
}

func park(n int, wait chan int) {
	if n > 0 {
		park(n-1, wait)
		return
	}
	<-wait
}

func main() {
	sites := flag.Int("sites", 20000, "allocation stacks")
	heap := flag.Int("heap", 1<<30, "bytes")
	goroutines := flag.Int("goroutines", 10000, "parked goroutines")
	depth := flag.Int("depth", 16, "calls of each stack")
	flag.Parse()
	debug.SetGCPercent(400)
	for i := 0; i < *sites; i++ {
		kept = append(kept, site(i, *depth, *heap / *sites / 1024))
	}
	wait := make(chan int)
	for i := 0; i < *goroutines; i++ {
		go park(i%10, wait)
	}
	runtime.GC()
	runtime.GC()
	fmt.Println("READY", len(kept), pprof.Lookup("heap").Count())
	io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(kept)
}
