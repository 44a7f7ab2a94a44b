// Package healthy has channels with both ends, or with room.
package healthy

import (
	"fmt"
	"sync"
)

func both() int {
	ch := make(chan int)
	go func() { ch <- 1 }()
	return <-ch
}

func closed() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		fmt.Println("works")
	}()
	<-done
}

func room() int {
	ch := make(chan int, 3)
	for i := 0; i < 3; i++ {
		ch <- i
	}
	return <-ch
}

func kept() {
	once := make(chan struct{}, 1)
	once <- struct{}{}
	fmt.Println(len(once))
}

func tokens(work []func()) {
	sem := make(chan struct{}, 4)
	var wg sync.WaitGroup
	for _, w := range work {
		sem <- struct{}{}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() { <-sem }()
			w()
		}()
	}
	wg.Wait()
}

func handed(f func(chan<- int)) int {
	ch := make(chan int)
	go f(ch)
	return <-ch
}

type box struct{ ch chan int }

func put() *box {
	ch := make(chan int)
	b := &box{ch: ch}
	go func() { ch <- 1 }()
	return b
}

func chosen(stop <-chan struct{}) {
	never := make(chan int)
	select {
	case <-never:
	case <-stop:
	}
}

func mutex(f func()) {
	lock := make(chan struct{}, 1)
	for i := 0; i < 3; i++ {
		lock <- struct{}{}
		f()
		<-lock
	}
}
