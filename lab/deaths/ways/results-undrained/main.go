// Workers hand their results to a channel. Whoever reads it has given up after the first error: the workers stand still,
// and what is submitted stays in the pool's list.
package main

import (
	"errors"
	"fmt"
	"sync"
	"time"

	_ "example.com/ways/internal/profiled"
)

type job struct {
	id   int
	rows []int32
}

type result struct {
	id  int
	err error
}

type pool struct {
	mu      sync.Mutex
	some    *sync.Cond
	pending []*job
	results chan result
}

//go:noinline
func load(id int) *job {
	j := &job{id: id, rows: make([]int32, 5<<10)}
	for i := range j.rows {
		j.rows[i] = int32(i)
	}
	return j
}

func (p *pool) submit(j *job) {
	p.mu.Lock()
	p.pending = append(p.pending, j)
	p.mu.Unlock()
	p.some.Signal()
}

func (p *pool) take() *job {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.pending) == 0 {
		p.some.Wait()
	}
	j := p.pending[0]
	p.pending[0] = nil
	p.pending = p.pending[1:]
	return j
}

func (p *pool) work(bad int) {
	for {
		j := p.take()
		r := result{id: j.id}
		if j.id == bad {
			r.err = errors.New("bad row")
		}
		p.results <- r
	}
}

func (p *pool) report() error {
	for r := range p.results {
		if r.err != nil {
			return fmt.Errorf("job %d: %w", r.id, r.err)
		}
	}
	return nil
}

func main() {
	p := &pool{results: make(chan result, 16)}
	p.some = sync.NewCond(&p.mu)
	for w := 0; w < 4; w++ {
		go p.work(2600)
	}
	go p.report()
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; n < int(time.Since(began).Seconds()*2000); n++ {
			p.submit(load(n))
		}
	}
}
