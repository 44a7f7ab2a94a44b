// What `wg-count-mismatch` must not find.
package healthy

import (
	"sync"
	"time"
)

func two() {
	var wg sync.WaitGroup
	wg.Add(2)
	go func() { defer wg.Done() }()
	go func() { defer wg.Done() }()
	wg.Wait()
}

func all(items []int) {
	var wg sync.WaitGroup
	wg.Add(len(items))
	for range items {
		go func() {
			defer wg.Done()
		}()
	}
	wg.Wait()
}

func skipped(items []string) {
	var wg sync.WaitGroup
	wg.Add(len(items))
	for _, it := range items {
		if it == "" {
			wg.Done()
			continue
		}
		go func() {
			defer wg.Done()
		}()
	}
	wg.Wait()
}

func counted(items []string) {
	var wg sync.WaitGroup
	for _, it := range items {
		if it == "" {
			continue
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
		}()
	}
	wg.Wait()
}

func handed(run func(*sync.WaitGroup)) {
	var wg sync.WaitGroup
	wg.Add(2)
	go run(&wg)
	go run(&wg)
	wg.Wait()
}

func signal() {
	var wg sync.WaitGroup
	wg.Add(1)
	time.AfterFunc(time.Second, wg.Done)
	wg.Wait()
}
