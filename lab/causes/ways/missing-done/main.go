// Command missing-done has goroutines that wait for a WaitGroup of which Done was called less often than was added.
package main

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"example.com/causes/internal/plant"
)

// ---- a worker that returns early

type page struct {
	url  string
	body []byte
}

func fetch(url string) (*page, error) {
	if url == "" {
		return nil, errors.New("no address")
	}
	return &page{url: url}, nil
}

func crawl(urls []string, fixed bool) []*page {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var pages []*page
	for _, u := range urls {
		wg.Add(1)
		go func(u string) {
			if fixed {
				defer wg.Done()
				time.Sleep(time.Hour)
			}
			p, err := fetch(u)
			if err != nil {
				return
			}
			mu.Lock()
			pages = append(pages, p)
			mu.Unlock()
			if !fixed {
				wg.Done()
			}
		}(u)
	}
	wg.Wait()
	return pages
}

func earlyReturn(fixed bool) {
	plant.Fact("early-return", "missing_done", 2)
	go func() {
		plant.Here("early-return", "stuck")
		crawl([]string{"a", "", "b", "", "c"}, fixed)
	}()
}

// ---- too much was added

type batch struct {
	name string
	wg   sync.WaitGroup
	rows []string
}

func (b *batch) load(n, added int, fixed bool) {
	b.wg.Add(added)
	for i := 0; i < n; i++ {
		go func() {
			defer b.wg.Done()
			if fixed {
				time.Sleep(time.Hour)
			}
		}()
	}
	b.wg.Wait()
}

func addedTooMuch(fixed bool) {
	plant.Fact("added-too-much", "missing_done", 7)
	go func() {
		plant.Here("added-too-much", "stuck")
		b := &batch{name: "nightly"}
		if fixed {
			b.load(10, 10, true)
		} else {
			b.load(3, 10, false)
		}
	}()
}

// ---- a group of functions with an error: one panics, and what recovers forgets

type group struct {
	wg   sync.WaitGroup
	once sync.Once
	err  error
}

func (g *group) start(f func() error, fixed bool) {
	g.wg.Add(1)
	go func() {
		if fixed {
			defer g.wg.Done()
		}
		defer func() {
			if r := recover(); r != nil {
				g.once.Do(func() { g.err = fmt.Errorf("%v", r) })
			}
		}()
		if err := f(); err != nil {
			g.once.Do(func() { g.err = err })
		}
		if !fixed {
			g.wg.Done()
		}
	}()
}

func (g *group) wait() error {
	g.wg.Wait()
	return g.err
}

func panicked(fixed bool) {
	plant.Fact("panicked", "missing_done", 1)
	g := new(group)
	for i := 0; i < 4; i++ {
		i := i
		g.start(func() error {
			if i == 2 {
				if fixed {
					time.Sleep(time.Hour)
				}
				var none map[string]int
				none["x"] = 1
			}
			return nil
		}, fixed)
	}
	for i := 0; i < 2; i++ {
		go func() {
			plant.Here("panicked", "stuck")
			_ = g.wait()
		}()
	}
}

// ---- a package variable: shutdown waits for requests

var inFlight sync.WaitGroup

func handle(path string, fixed bool) {
	inFlight.Add(1)
	if path == "/health" && !fixed {
		return
	}
	inFlight.Done()
}

func packageVariable(fixed bool) {
	plant.Fact("package-variable", "missing_done", 1)
	for _, p := range []string{"/", "/health", "/a"} {
		handle(p, fixed)
	}
	if fixed {
		inFlight.Add(1)
		plant.Later(inFlight.Done)
	}
	go func() {
		plant.Here("package-variable", "stuck")
		inFlight.Wait()
	}()
}

// ---- who closes the results waits, and so who reads them

func mapAll[T, U any](in []T, f func(T) (U, error), fixed bool) <-chan U {
	out := make(chan U, len(in))
	wg := new(sync.WaitGroup)
	for _, v := range in {
		wg.Add(1)
		go func(v T) {
			u, err := f(v)
			if err != nil && !fixed {
				return
			}
			if fixed {
				time.Sleep(time.Hour)
			}
			out <- u
			wg.Done()
		}(v)
	}
	go func() {
		plant.Here("closer", "stuck")
		wg.Wait()
		close(out)
	}()
	return out
}

func closer(fixed bool) {
	plant.Fact("closer", "missing_done", 3)
	out := mapAll([]int{1, 2, 3, 4, 5, 6}, func(n int) (string, error) {
		if n%2 == 0 {
			return "", errors.New("even")
		}
		return fmt.Sprint(n), nil
	}, fixed)
	go func() {
		plant.Here("closer", "behind")
		n := 0
		for s := range out {
			n += len(s)
		}
	}()
}

// ---- a wait group for each key, by value in a struct in a map

type pending struct {
	wg   sync.WaitGroup
	size int
}

type uploads struct {
	mu sync.Mutex
	of map[string]*pending
}

func (u *uploads) begin(key string, parts int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	p := u.of[key]
	if p == nil {
		p = new(pending)
		u.of[key] = p
	}
	p.wg.Add(parts)
}

func (u *uploads) part(key string, size int) {
	u.mu.Lock()
	p := u.of[key]
	u.mu.Unlock()
	p.size += size
	p.wg.Done()
}

func (u *uploads) finish(key string) int {
	u.mu.Lock()
	p := u.of[key]
	u.mu.Unlock()
	p.wg.Wait()
	return p.size
}

func mapElement(fixed bool) {
	plant.Fact("map-element", "missing_done", 4)
	u := &uploads{of: map[string]*pending{}}
	u.begin("film", 5)
	u.part("film", 100)
	if fixed {
		plant.AtEnd(func() {
			for i := 0; i < 4; i++ {
				u.part("film", 1)
			}
		})
	}
	go func() {
		plant.Here("map-element", "stuck")
		u.finish("film")
	}()
}

// ---- who stops waits for its workers with the lock that they need, in one struct with the WaitGroup

type manager struct {
	mu      sync.Mutex
	wg      sync.WaitGroup
	workers int
}

func (m *manager) stop(fixed bool) {
	if !fixed {
		m.mu.Lock()
		defer m.mu.Unlock()
	}
	m.wg.Wait()
}

func (m *manager) work(stopping <-chan bool, fixed bool) {
	defer m.wg.Done()
	<-stopping
	if fixed {
		time.Sleep(time.Hour)
	}
	m.mu.Lock()
	m.workers--
	m.mu.Unlock()
}

func underLock(fixed bool) {
	plant.Fact("under-lock", "missing_done", 2)
	m, stopping := new(manager), make(chan bool)
	for i := 0; i < 2; i++ {
		m.wg.Add(1)
		go func() {
			plant.Here("under-lock", "behind")
			m.work(stopping, fixed)
		}()
	}
	go func() {
		plant.Here("under-lock", "stuck")
		m.stop(fixed)
	}()
	time.Sleep(10 * time.Millisecond)
	close(stopping)
}

func main() {
	plant.Main(
		plant.Shape{Name: "early-return", Run: earlyReturn},
		plant.Shape{Name: "added-too-much", Run: addedTooMuch},
		plant.Shape{Name: "panicked", Run: panicked},
		plant.Shape{Name: "package-variable", Run: packageVariable},
		plant.Shape{Name: "closer", Run: closer},
		plant.Shape{Name: "map-element", Run: mapElement},
		plant.Shape{Name: "under-lock", Run: underLock},
	)
}
