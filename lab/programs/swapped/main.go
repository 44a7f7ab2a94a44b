// Command swapped keeps a configuration that is replaced as a whole: of 312 ids, and when it is told so, of
// 230,000. It is a local variable of main, held through a goroutine alone that waits for the next one, as in
// lab/programs/incident; a package variable holds a map that is replaced likewise. It prints "ready" and what
// it has published, a line each.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	small = 312
	large = 230_000
)

type config struct {
	name string
	ids  []int64
	set  map[int64]struct{}
}

type store struct {
	polls   int
	current atomic.Value
}

// byName is replaced too: a package variable's own map.
var byName map[int64]*config

func made(n int) *config {
	c := &config{name: fmt.Sprint("config of ", n), ids: make([]int64, n), set: map[int64]struct{}{}}
	for i := range c.ids {
		c.ids[i] = int64(i) * 7
		c.set[c.ids[i]] = struct{}{}
	}
	return c
}

//go:noinline
func (s *store) publish(n int) {
	c := made(n)
	names := make(map[int64]*config, n)
	for _, id := range c.ids {
		names[id] = c
	}
	byName = names
	s.current.Store(c)
	fmt.Println("published", n)
}

//go:noinline
func (s *store) watch(told <-chan os.Signal, building time.Duration) {
	for range told {
		s.polls++
		// It runs meanwhile, as it does longer than its work takes where many others run too.
		for end := time.Now().Add(building); time.Now().Before(end); {
		}
		s.publish(large)
	}
}

// many is what a service with some thousand collections holds: as many objects on the way to them.
type many struct{ groups [16]*group }
type group struct{ configs [64]*config }

var shards *many

func fill() *many {
	m := &many{}
	for i := range m.groups {
		m.groups[i] = &group{}
		for k := range m.groups[i].configs {
			m.groups[i].configs[k] = made(64 + i + k)
		}
	}
	return m
}

func main() {
	lots := flag.Bool("many", false, "hold two thousand collections more")
	after := flag.Duration("after", 0, "publish the large one by itself after so long (0: when SIGUSR1 comes)")
	building := flag.Duration("building", 0, "work for so long before the large one is published")
	die := flag.Bool("die", false, "fill memory a second after that is done")
	flag.Parse()
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGUSR1)
	if *lots {
		shards = fill()
	}
	s := &store{}
	s.publish(small)
	go s.watch(told, *building)
	fmt.Println("ready")
	if *after > 0 {
		time.Sleep(*after)
		told <- syscall.SIGUSR1
	}
	var rest [][]byte
	if *die {
		time.Sleep(*building + time.Second)
		for {
			b := make([]byte, 1<<20)
			for i := range b {
				b[i] = 1
			}
			rest = append(rest, b)
			time.Sleep(4 * time.Millisecond)
		}
	}
	select {}
}
