// Command range-over-open-channel has goroutines that range over channels which nobody closes.
package main

import (
	"strings"
	"sync"

	"example.com/causes/internal/plant"
)

// ---- a pool whose queue is not closed

type pool struct {
	jobs chan func()
	size int
}

func newPool(size int) *pool {
	p := &pool{jobs: make(chan func(), 8), size: size}
	for i := 0; i < size; i++ {
		go p.work()
	}
	return p
}

func (p *pool) work() {
	plant.Here("pool", "stuck")
	for job := range p.jobs {
		job()
	}
}

func render(pages []string, fixed bool) {
	p := newPool(4)
	if fixed {
		plant.Later(func() { close(p.jobs) })
	}
	var wg sync.WaitGroup
	for range pages {
		wg.Add(1)
		p.jobs <- wg.Done
	}
	wg.Wait()
}

func pools(fixed bool) {
	for i := 0; i < 2; i++ {
		render(strings.Fields("a b c d e f"), fixed)
	}
}

// ---- stages, generic

func from[T any](values []T) chan T {
	out := make(chan T, len(values))
	for _, v := range values {
		out <- v
	}
	return out
}

func filter[T any](in <-chan T, keep func(T) bool) <-chan T {
	out := make(chan T)
	go func() {
		plant.Here("stages", "stuck")
		defer close(out)
		for v := range in {
			if keep(v) {
				out <- v
			}
		}
	}()
	return out
}

func count[T any](in <-chan T) {
	plant.Here("stages", "behind")
	n := 0
	for range in {
		n++
	}
}

func stages(fixed bool) {
	words := from([]string{"a", "bb", "ccc"})
	if fixed {
		plant.AtEnd(func() { close(words) })
	}
	go count(filter(words, func(s string) bool { return len(s) > 1 }))
}

// ---- a collector of results, as a closure

func collector(fixed bool) {
	results := make(chan map[string]int)
	var wg sync.WaitGroup
	for i := 0; i < 3; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			results <- map[string]int{"x": 1}
		}()
	}
	total := 0
	go func() {
		plant.Here("collector", "stuck")
		for r := range results {
			total += r["x"]
		}
	}()
	wg.Wait()
	if fixed {
		plant.Later(func() { close(results) })
	}
}

// ---- subscriptions of which one is not taken back, elements of a map

type topics struct {
	sync.RWMutex
	of map[string]map[int]chan string
}

func (t *topics) subscribe(topic string, id int) chan string {
	t.Lock()
	defer t.Unlock()
	if t.of[topic] == nil {
		t.of[topic] = map[int]chan string{}
	}
	c := make(chan string, 1)
	t.of[topic][id] = c
	return c
}

func (t *topics) listen(topic string, id int) {
	plant.Here("topics", "stuck")
	for m := range t.subscribe(topic, id) {
		_ = m
	}
}

func topicsOf(fixed bool) {
	t := &topics{of: map[string]map[int]chan string{}}
	for id := 0; id < 3; id++ {
		go t.listen("prices", id)
	}
	plant.Settle()
	if fixed {
		plant.AtEnd(func() {
			for _, c := range t.of["prices"] {
				close(c)
			}
		})
	}
}

// ---- a package variable: a queue of audit lines

var audit = make(chan []byte, 16)

func writeAudit() {
	plant.Here("package-variable", "stuck")
	for line := range audit {
		_ = line
	}
}

func packageVariable(fixed bool) {
	go writeAudit()
	audit <- []byte("begun")
	if fixed {
		plant.Later(func() { close(audit) })
	}
}

func main() {
	plant.Main(
		plant.Shape{Name: "pool", Run: pools},
		plant.Shape{Name: "stages", Run: stages},
		plant.Shape{Name: "collector", Run: collector},
		plant.Shape{Name: "topics", Run: topicsOf},
		plant.Shape{Name: "package-variable", Run: packageVariable},
	)
}
