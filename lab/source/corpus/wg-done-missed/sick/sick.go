// What `wg-done-missed` must find.
package sick

import (
	"fmt"
	"sync"
)

func each(items []int) {
	var wg sync.WaitGroup
	for _, it := range items {
		wg.Add(1)
		go func(it int) {
			if it == 0 {
				return // want wg-done-missed
			}
			fmt.Println(it)
			wg.Done()
		}(it)
	}
	wg.Wait()
}

func fetch(urls []string, get func(string) error) {
	var wg sync.WaitGroup
	for _, u := range urls {
		wg.Add(1)
		go func(u string) {
			if err := get(u); err != nil {
				fmt.Println(err)
				return // want wg-done-missed
			}
			wg.Done()
		}(u)
	}
	wg.Wait()
}

func worker(wg *sync.WaitGroup, in <-chan int, stop <-chan struct{}) {
	for {
		select {
		case _, ok := <-in:
			if !ok {
				wg.Done()
				return
			}
		case <-stop:
			return // want wg-done-missed
		}
	}
}

func startAll(in chan int, stop chan struct{}) {
	var wg sync.WaitGroup
	wg.Add(1)
	go worker(&wg, in, stop)
	wg.Wait()
}

func risky(rows [][]string) {
	var wg sync.WaitGroup
	for _, r := range rows {
		wg.Add(1)
		go func(r []string) {
			fmt.Println(r[1])
			wg.Done() // want wg-done-missed
		}(r)
	}
	wg.Wait()
}

func asserted(vs []any) {
	var wg sync.WaitGroup
	for _, v := range vs {
		wg.Add(1)
		go func(v any) {
			fmt.Println(v.(string))
			wg.Done() // want wg-done-missed
		}(v)
	}
	wg.Wait()
}

func onlyOnSuccess(wg *sync.WaitGroup, f func() error) {
	wg.Add(1)
	go func() {
		if f() == nil {
			wg.Done()
		}
	}() // want wg-done-missed
}
