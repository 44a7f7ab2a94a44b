// Command churn allocates and forgets without end: small and large, with pointers and without, around a live set of some 60 MB, so that at any moment some spans
// wait for the sweeper. It prints READY and runs until its input ends. With -noprofile it never samples (MemProfileRate 0 from the first allocation on).
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
)

type item struct {
	next *item
	data [90]byte
}

type record struct {
	refs [40]*item
	id   int64
}

type block struct{ items [4096]*item }

var (
	items   [200_000]*item
	records [20_000]*record
	blocks  [200]*block
	buffers [100][]byte
	indexes [8]map[int64]*item
)

func churn(seed uint64) {
	for i := 0; ; i++ {
		seed = seed*6364136223846793005 + 1442695040888963407
		r := int(seed >> 33)
		it := &item{data: [90]byte{byte(i)}}
		items[r%len(items)] = it
		if i%8 == 0 {
			records[r%len(records)] = &record{refs: [40]*item{it}, id: int64(i)}
		}
		if i%1000 == 0 {
			blocks[r%len(blocks)] = &block{items: [4096]*item{it}}
		}
		if i%4000 == 0 {
			buffers[r%len(buffers)] = make([]byte, 50_000+r%100_000)
		}
		if i%200_000 == 0 {
			m := make(map[int64]*item)
			for k := int64(0); k < 20_000; k++ {
				m[k] = it
			}
			indexes[r%len(indexes)] = m
		}
	}
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "-noprofile" {
		runtime.MemProfileRate = 0
	}
	runtime.GOMAXPROCS(2)
	go churn(1)
	go churn(2)
	fmt.Println("READY")
	io.Copy(io.Discard, os.Stdin)
}
