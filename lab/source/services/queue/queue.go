// Package queue has workers and channels.
package queue

import (
	"context"
	"fmt"
	"log"
	"sync"
	"time"
)

// Job is work.
type Job func() error

// Pool has workers that end when the queue is closed: healthy.
type Pool struct {
	jobs chan Job
	wg   sync.WaitGroup
}

// NewPool starts it.
func NewPool(n int) *Pool {
	p := &Pool{jobs: make(chan Job, 128)}
	p.wg.Add(n)
	for i := 0; i < n; i++ {
		go p.work()
	}
	return p
}

func (p *Pool) work() {
	defer p.wg.Done()
	for j := range p.jobs {
		if err := j(); err != nil {
			log.Print(err)
		}
	}
}

// Close ends it.
func (p *Pool) Close() {
	close(p.jobs)
	p.wg.Wait()
}

// Leaky has workers that nobody can end.
type Leaky struct {
	jobs chan Job
	done chan error
}

// NewLeaky starts it.
func NewLeaky(n int) *Leaky {
	l := &Leaky{jobs: make(chan Job), done: make(chan error)}
	for i := 0; i < n; i++ {
		go func() {
			for j := range l.jobs { // want range-never-closed
				l.done <- j()
			}
		}()
	}
	return l
}

// Do hands it a job.
func (l *Leaky) Do(j Job) error {
	l.jobs <- j
	return <-l.done
}

// Batch counts one more than it starts.
func Batch(jobs []Job) {
	var wg sync.WaitGroup
	wg.Add(len(jobs) + 1) // want wg-count-mismatch
	for _, j := range jobs {
		go func(j Job) {
			defer wg.Done()
			_ = j()
		}(j)
	}
	wg.Wait()
}

// BatchEarly misses Done where a job fails.
func BatchEarly(jobs []Job) {
	wg := sync.WaitGroup{}
	for _, j := range jobs {
		wg.Add(1)
		go func() {
			if err := j(); err != nil {
				log.Println("failed:", err)
				return // want wg-done-missed
			}
			wg.Done()
		}()
	}
	wg.Wait()
}

// BatchSkip counts jobs that it skips.
func BatchSkip(ctx context.Context, jobs []Job) {
	var wg sync.WaitGroup
	wg.Add(len(jobs))
	for _, j := range jobs {
		if j == nil {
			continue // want wg-count-mismatch
		}
		go func() {
			defer wg.Done()
			_ = j()
		}()
	}
	wg.Wait()
}

// BatchGo is healthy.
func BatchGo(jobs []Job) {
	var wg sync.WaitGroup
	for _, j := range jobs {
		wg.Add(1)
		go run(&wg, j)
	}
	wg.Wait()
}

func run(wg *sync.WaitGroup, j Job) {
	defer wg.Done()
	defer func() {
		if r := recover(); r != nil {
			log.Println(r)
		}
	}()
	_ = j()
}

// BatchByValue hands the group by value.
func BatchByValue(jobs []Job) {
	var wg sync.WaitGroup
	for _, j := range jobs {
		wg.Add(1)
		go runCopy(wg, j)
	}
	wg.Wait()
}

func runCopy(wg sync.WaitGroup, j Job) {
	defer wg.Done() // want wg-count-mismatch
	_ = j()
}

// Late adds within the goroutine.
func Late(jobs []Job) {
	var wg sync.WaitGroup
	for _, j := range jobs {
		go func() {
			wg.Add(1) // want wg-add-inside
			defer wg.Done()
			_ = j()
		}()
	}
	wg.Wait()
}

// Retry waits with time.After in a loop that messages turn.
func Retry(ctx context.Context, in <-chan Job) {
	for {
		select {
		case j := <-in:
			_ = j()
		case <-time.After(time.Minute): // want time-after-in-loop
			log.Print("idle")
		case <-ctx.Done():
			return
		}
	}
}

// Poll never stops its ticker and returns.
func Poll(ctx context.Context, f func() bool) {
	tick := time.NewTicker(time.Second) // want ticker-not-stopped
	for {
		select {
		case <-tick.C:
			if f() {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// Wait has no way out where nobody sends.
func Wait(a, b chan int) int {
	select { // want select-no-way-out
	case x := <-a:
		return x
	case x := <-b:
		return x
	}
}

// Merge reads results once though all send.
func Merge(backends []func() (string, error)) (string, error) {
	results := make(chan string)
	for _, b := range backends {
		b := b
		go func() {
			if s, err := b(); err == nil {
				results <- s // want result-channel-read-once
			}
		}()
	}
	return <-results, nil
}

// MergeAll reads as many as it starts: healthy.
func MergeAll(backends []func() (string, error)) ([]string, error) {
	type result struct {
		s   string
		err error
	}
	results := make(chan result)
	for _, b := range backends {
		go func() {
			s, err := b()
			results <- result{s, err}
		}()
	}
	var out []string
	var first error
	for range backends {
		r := <-results
		if r.err != nil && first == nil {
			first = r.err
		}
		out = append(out, r.s)
	}
	return out, first
}

// MergeEarly returns on the first error and leaves the rest to wait.
func MergeEarly(backends []func() (string, error)) ([]string, error) {
	results := make(chan string)
	errs := make(chan error)
	for _, b := range backends {
		go func() {
			s, err := b()
			if err != nil {
				errs <- err // want send-abandoned
				return
			}
			results <- s // want send-abandoned
		}()
	}
	var out []string
	for i := 0; i < len(backends); i++ {
		select { // false select-no-way-out
		case s := <-results:
			out = append(out, s)
		case err := <-errs:
			return nil, fmt.Errorf("backend: %w", err)
		}
	}
	return out, nil
}

// Drain waits for a channel that is nil.
func Drain(n int) int {
	var done chan struct{}
	if n > 0 {
		go func() {
			time.Sleep(time.Second)
			close(done) // want channel-is-nil
		}()
	}
	<-done
	return n
}
