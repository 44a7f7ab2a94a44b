// What `select-no-way-out` must not find.
package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

func merge(ctx context.Context, a, b chan int) int {
	select {
	case v := <-a:
		return v
	case v := <-b:
		return v
	case <-ctx.Done():
		return 0
	}
}

func try(c chan int) bool {
	select {
	case c <- 1:
		return true
	default:
		return false
	}
}

func timed(c chan int) int {
	select {
	case v := <-c:
		return v
	case <-time.After(time.Second):
		return 0
	}
}

type loop struct {
	in   chan int
	quit chan bool
}

func (l *loop) run() {
	for {
		select {
		case v := <-l.in:
			fmt.Println(v)
		case <-l.quit:
			return
		}
	}
}

func closed(a, b <-chan int) {
	for {
		select {
		case _, ok := <-a:
			if !ok {
				return
			}
		case <-b:
		}
	}
}

func signals(c chan os.Signal, in chan int) {
	select {
	case <-c:
	case <-in:
	}
}

func main() {
	go func() {}()
	select {}
}
