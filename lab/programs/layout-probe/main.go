// Command layoutprobe links everything whose layout lastgasp reads, so that one binary's DWARF describes it all (see lab/layouts/src/tables.rs).
package main

import (
	"context"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"
)

var keep []any

func main() {
	var m sync.Map
	m.Store("a", 1)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	cond := sync.NewCond(&sync.RWMutex{})
	var wg sync.WaitGroup
	pool := sync.Pool{New: func() any { return new(int) }}
	keep = append(keep, &m, ctx, cond, &wg, &pool, make(map[string]int), make(chan int))
	runtime.SetFinalizer(new([64]byte), func(*[64]byte) {})
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		l.Close()
	}
	pprof.Lookup("heap").WriteTo(os.Stdout, 1)
	pprof.Lookup("goroutine").WriteTo(os.Stdout, 1)
}
