package worker

import "log"

type Worker struct {
	in  chan int
	out chan int
}

func (w *Worker) Start() {
	go func() {
		for { // hint goroutine-no-exit
			select { // hint select-no-way-out
			case v := <-w.in:
				w.out <- v * 2
			}
		}
	}()
}

func (w *Worker) Log() {
	for v := range w.out { // hint range-never-closed
		log.Println(v)
	}
}

func NewWorker() *Worker {
	return &Worker{in: make(chan int), out: make(chan int)}
}

func Handle(n int) int {
	w := NewWorker()
	w.Start()
	w.in <- n
	return <-w.out
}
