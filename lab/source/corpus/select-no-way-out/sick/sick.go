// What `select-no-way-out` must find.
package sick

import (
	"context"
	"fmt"
)

func merge(ctx context.Context, a, b chan int) int {
	select { // want select-no-way-out
	case v := <-a:
		return v
	case v := <-b:
		return v
	}
}

func forward(in, out chan string) {
	go func() {
		select { // want select-no-way-out
		case s := <-in:
			fmt.Println(s)
		case out <- "x":
		}
	}()
}

type mux struct {
	reqs  chan int
	reply chan string
}

func (m *mux) ask(ctx context.Context, n int) string {
	m.reqs <- n
	select { // want select-no-way-out
	case s := <-m.reply:
		return s
	}
}

func either(x, y chan error) error {
	go func() { x <- nil }()
	select { // want select-no-way-out
	case err := <-x:
		return err
	case err := <-y:
		return err
	}
}

func stuck() {
	fmt.Println("stuck")
	select {} // want select-no-way-out
}

func worker(jobs, urgent chan int) {
	for { // want goroutine-no-exit
		select { // want select-no-way-out
		case j := <-urgent:
			fmt.Println("!", j)
		case j := <-jobs:
			fmt.Println(j)
		}
	}
}

func startWorkers(jobs, urgent chan int) { go worker(jobs, urgent) }
