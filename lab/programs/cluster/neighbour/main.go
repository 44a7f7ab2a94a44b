// Command neighbour is another program on the node: it takes so much memory, so fast, and keeps it.
package main

import (
	"flag"
	"time"
)

var taken [][]byte

func main() {
	mb := flag.Int("mb", 1000, "megabytes that it takes")
	rate := flag.Float64("mb-per-second", 200, "how fast")
	flag.Parse()
	for i := 0; i < *mb; i++ {
		block := make([]byte, 1<<20)
		for j := 0; j < len(block); j += 4096 {
			block[j] = 1
		}
		taken = append(taken, block)
		time.Sleep(time.Duration(float64(time.Second) / *rate))
	}
	select {}
}
