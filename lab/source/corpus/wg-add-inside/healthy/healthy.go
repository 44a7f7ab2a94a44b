// What `wg-add-inside` must not find.
package healthy

import (
	"sync"
)

func each(items []int) {
	var wg sync.WaitGroup
	for range items {
		wg.Add(1)
		go func() {
			defer wg.Done()
		}()
	}
	wg.Wait()
}

func nested(wg *sync.WaitGroup) {
	wg.Add(1)
	go func() {
		defer wg.Done()
		wg.Add(1)
		go func() {
			defer wg.Done()
		}()
	}()
	wg.Wait()
}

func own() {
	go func() {
		var wg sync.WaitGroup
		wg.Add(1)
		go func() { defer wg.Done() }()
		wg.Wait()
	}()
}

type pool struct{ wg sync.WaitGroup }

func (p *pool) start(f func()) {
	p.wg.Add(1)
	go func() {
		defer p.wg.Done()
		f()
	}()
}

func (p *pool) submit(f func()) {
	p.wg.Add(1)
	defer p.wg.Done()
	f()
}

type score struct{ n int }

func (s *score) Add(n int) { s.n += n }

func tally(s *score) {
	go func() { s.Add(1) }()
}
