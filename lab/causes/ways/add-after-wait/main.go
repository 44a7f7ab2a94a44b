// Command add-after-wait has wait groups to which is added when somebody waits already, or has waited: the count is
// not what who waits takes it for.
package main

import (
	"sync"
	"time"

	"example.com/causes/internal/plant"
)

// ---- a straggler registers while the shutdown waits, and waits for the shutdown

type server struct {
	handlers sync.WaitGroup
	stopped  chan struct{}
	name     string
}

func (s *server) handle() {
	s.handlers.Add(1)
	defer s.handlers.Done()
	<-s.stopped
}

func (s *server) shutdown(fixed bool) {
	if fixed {
		time.Sleep(time.Hour)
		close(s.stopped)
	}
	s.handlers.Wait()
	if !fixed {
		close(s.stopped)
	}
}

func straggler(fixed bool) {
	s := &server{stopped: make(chan struct{}), name: "api"}
	go func() {
		plant.Here("straggler", "behind")
		s.handle()
	}()
	plant.Settle()
	go func() {
		plant.Here("straggler", "stuck")
		s.shutdown(fixed)
	}()
	plant.Settle()
	for i := 0; i < 2; i++ {
		go func() {
			plant.Here("straggler", "behind")
			s.handle()
		}()
	}
}

// ---- Add stands in the goroutine: Wait returns at once, nobody reads the results any more

func squares(n int, fixed bool) int {
	out := make(chan int)
	quit := make(chan struct{})
	wg := new(sync.WaitGroup)
	for i := 0; i < n; i++ {
		i := i
		if fixed {
			wg.Add(1)
		}
		go func() {
			plant.Here("in-the-goroutine", "behind")
			if !fixed {
				time.Sleep(20 * time.Millisecond)
				wg.Add(1)
			} else {
				time.Sleep(time.Hour)
			}
			defer wg.Done()
			out <- i * i
		}()
	}
	go func() {
		wg.Wait()
		close(quit)
	}()
	sum := 0
	for {
		select {
		case v := <-out:
			sum += v
		case <-quit:
			return sum
		}
	}
}

func inTheGoroutine(fixed bool) {
	go squares(3, fixed)
	time.Sleep(60 * time.Millisecond)
}

func main() {
	plant.Main(
		plant.Shape{Name: "straggler", Run: straggler},
		plant.Shape{Name: "in-the-goroutine", Run: inTheGoroutine},
	)
}
