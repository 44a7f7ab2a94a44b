// What `goroutine-unbounded` must not find.
package healthy

import (
	"context"
	"fmt"
	"net/http"
	"sync"
)

type job struct{ id int }

func process(j job) { _ = j.id }

func workers(jobs <-chan job, n int) {
	for i := 0; i < n; i++ {
		go func() {
			for j := range jobs {
				process(j)
			}
		}()
	}
}

func semaphore(jobs <-chan job) {
	sem := make(chan struct{}, 8)
	for j := range jobs {
		sem <- struct{}{}
		go func(j job) {
			defer func() { <-sem }()
			process(j)
		}(j)
	}
}

func fanOut(w http.ResponseWriter, r *http.Request) {
	var wg sync.WaitGroup
	for _, id := range r.URL.Query()["id"] {
		wg.Add(1)
		go func(id string) {
			defer wg.Done()
			fmt.Println(id)
		}(id)
	}
	wg.Wait()
}

type limiter interface {
	Acquire(ctx context.Context) error
}

func limited(ctx context.Context, l limiter, jobs <-chan job) {
	for j := range jobs {
		if err := l.Acquire(ctx); err != nil {
			return
		}
		go process(j)
	}
}

func each(jobs []job) {
	var wg sync.WaitGroup
	for _, j := range jobs {
		wg.Add(1)
		go func(j job) {
			defer wg.Done()
			process(j)
		}(j)
	}
	wg.Wait()
}

func tokens(jobs <-chan job, tokens chan struct{}) {
	for j := range jobs {
		<-tokens
		go func(j job) {
			process(j)
			tokens <- struct{}{}
		}(j)
	}
}

func one(w http.ResponseWriter, r *http.Request) {
	result := make(chan string, 1)
	go func() { result <- r.URL.Path }()
	fmt.Fprintln(w, <-result)
}
