// What `wg-count-mismatch` must find.
package sick

import (
	"fmt"
	"sync"
)

func two() {
	var wg sync.WaitGroup
	wg.Add(3) // want wg-count-mismatch
	go func() { defer wg.Done() }()
	go func() { defer wg.Done() }()
	wg.Wait()
}

func before(items []int) {
	var wg sync.WaitGroup
	wg.Add(1) // want wg-count-mismatch
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
			continue // want wg-count-mismatch
		}
		go func() {
			defer wg.Done()
		}()
	}
	wg.Wait()
}

func never(items []int) {
	var wg sync.WaitGroup
	for range items {
		wg.Add(1) // want wg-count-mismatch
		go func() {
			fmt.Println("x")
		}()
	}
	wg.Wait()
}

func conditional(items []int) {
	var wg sync.WaitGroup
	wg.Add(len(items))
	for _, it := range items {
		if it > 0 { // want wg-count-mismatch
			go func() {
				defer wg.Done()
			}()
		}
	}
	wg.Wait()
}

func tooMany() {
	var wg sync.WaitGroup
	wg.Add(1) // want wg-count-mismatch
	go func() { defer wg.Done() }()
	go func() { defer wg.Done() }()
	wg.Wait()
}
