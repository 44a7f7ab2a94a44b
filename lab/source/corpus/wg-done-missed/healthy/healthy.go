// What `wg-done-missed` must not find.
package healthy

import (
	"fmt"
	"sync"
	"sync/atomic"
)

func each(items []int) {
	var wg sync.WaitGroup
	for _, it := range items {
		wg.Add(1)
		go func(it int) {
			defer wg.Done()
			if it == 0 {
				return
			}
			fmt.Println(it)
		}(it)
	}
	wg.Wait()
}

func allPaths(items []int) {
	var wg sync.WaitGroup
	for _, it := range items {
		wg.Add(1)
		go func(it int) {
			if it == 0 {
				wg.Done()
				return
			}
			fmt.Println(it)
			wg.Done()
		}(it)
	}
	wg.Wait()
}

func closure(wg *sync.WaitGroup, f func()) {
	wg.Add(1)
	go func() {
		defer func() {
			wg.Done()
		}()
		f()
	}()
}

func simple(wg *sync.WaitGroup, n *int64) {
	wg.Add(1)
	go func() {
		atomic.AddInt64(n, 1)
		wg.Done()
	}()
}

func handed(wg *sync.WaitGroup, run func(*sync.WaitGroup)) {
	wg.Add(1)
	go func() {
		run(wg)
	}()
}

func perItem(wg *sync.WaitGroup, in <-chan int) {
	go func() {
		for range in {
			wg.Done()
		}
	}()
}
