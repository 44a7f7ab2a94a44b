// What `range-never-closed` must find.
package sick

import (
	"fmt"
	"sync"
)

func sum(items []int) (n int) {
	ch := make(chan int)
	go func() {
		for _, it := range items {
			ch <- it
		}
	}()
	for v := range ch { // want range-never-closed
		n += v
	}
	return n
}

func workers(n int) {
	jobs := make(chan int, 10)
	for i := 0; i < n; i++ {
		go func() {
			for j := range jobs { // want range-never-closed
				fmt.Println(j)
			}
		}()
	}
	for i := 0; i < 100; i++ {
		jobs <- i
	}
}

func collect(urls []string, get func(string) string) {
	out := make(chan string)
	var wg sync.WaitGroup
	for _, u := range urls {
		wg.Add(1)
		go func(u string) {
			defer wg.Done()
			out <- get(u)
		}(u)
	}
	go func() {
		wg.Wait()
	}()
	for s := range out { // want range-never-closed
		fmt.Println(s)
	}
}

func logger() func(string) {
	lines := make(chan string, 100)
	go func() {
		for l := range lines { // want range-never-closed
			fmt.Println(l)
		}
	}()
	return func(s string) { lines <- s }
}

func pipeline(in []int) {
	squares := make(chan int)
	go func() {
		for _, v := range in {
			squares <- v * v
		}
	}()
	go func() {
		for s := range squares { // want range-never-closed
			fmt.Println(s)
		}
	}()
}

type bus struct{ events chan int }

func newBus() *bus { return &bus{events: make(chan int)} }

func (b *bus) send(n int) { b.events <- n }

func (b *bus) loop() {
	for e := range b.events { // want range-never-closed
		fmt.Println(e)
	}
}
