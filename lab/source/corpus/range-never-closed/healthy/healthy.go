// What `range-never-closed` must not find.
package healthy

import (
	"fmt"
)

func sum(items []int) (n int) {
	ch := make(chan int)
	go func() {
		defer close(ch)
		for _, it := range items {
			ch <- it
		}
	}()
	for v := range ch {
		n += v
	}
	return n
}

func given(ch <-chan int) {
	for v := range ch {
		fmt.Println(v)
	}
}

func until(items []int) {
	ch := make(chan int)
	go func() {
		for _, it := range items {
			ch <- it
		}
		ch <- -1
	}()
	for v := range ch {
		if v < 0 {
			break
		}
	}
}

func handed(fill func(chan<- int)) {
	ch := make(chan int)
	go fill(ch)
	for v := range ch {
		fmt.Println(v)
	}
}

type bus struct{ events chan int }

func (b *bus) open() { b.events = make(chan int) }
func (b *bus) loop() {
	for e := range b.events {
		fmt.Println(e)
	}
}
func (b *bus) Close() { close(b.events) }

func slice(xs []int) {
	for _, x := range xs {
		fmt.Println(x)
	}
}
