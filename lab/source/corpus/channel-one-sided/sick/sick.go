// Package sick has channels of which one end is never used.
package sick

import (
	"fmt"
	"time"
)

func nobodyReceives() {
	ch := make(chan int)
	go func() {
		ch <- 1 // want channel-one-sided
		fmt.Println("never")
	}()
}

func nobodySends() {
	done := make(chan struct{})
	go func() {
		<-done // want channel-one-sided
		fmt.Println("never")
	}()
}

func itself() int {
	ch := make(chan int)
	ch <- 1 // want channel-one-sided
	return <-ch
}

func full() {
	ch := make(chan int, 2)
	for i := 0; i < 3; i++ {
		ch <- i // want channel-one-sided
	}
	fmt.Println(<-ch, <-ch, <-ch)
}

func forgotten(work func() error) error {
	errs := make(chan error, 1)
	go func() {
		for { // want goroutine-no-exit
			errs <- work() // want channel-one-sided
			time.Sleep(time.Second)
		}
	}()
	return nil
}
