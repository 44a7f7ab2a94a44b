// What `wg-add-inside` must find.
package sick

import (
	"fmt"
	"sync"
)

func each(items []int) {
	var wg sync.WaitGroup
	for range items {
		go func() {
			wg.Add(1) // want wg-add-inside
			defer wg.Done()
		}()
	}
	wg.Wait()
}

type pool struct{ wg sync.WaitGroup }

func (p *pool) start(f func()) {
	go func() {
		p.wg.Add(1) // want wg-add-inside
		defer p.wg.Done()
		f()
	}()
}

func (p *pool) run() {
	p.wg.Add(1) // want wg-add-inside
	defer p.wg.Done()
}

func (p *pool) spawn() {
	go p.run()
	p.wg.Wait()
}

func fetch(urls []string, get func(string)) {
	wg := &sync.WaitGroup{}
	for _, u := range urls {
		go func(u string) {
			wg.Add(1) // want wg-add-inside
			get(u)
			wg.Done()
		}(u)
	}
	wg.Wait()
}

func worker(wg *sync.WaitGroup, n int) {
	wg.Add(1) // want wg-add-inside
	defer wg.Done()
	fmt.Println(n)
}

func startAll() {
	var wg sync.WaitGroup
	for i := 0; i < 3; i++ {
		go worker(&wg, i)
	}
	wg.Wait()
}
