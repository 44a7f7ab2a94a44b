// Command select-without-cases has goroutines that are parked by an empty select; its main function is too, and that
// is how services are kept.
package main

import "example.com/causes/internal/plant"

type job struct{ data []byte }

// ---- a goroutine that keeps something "alive"

func keep(j *job) {
	select {}
}

func keeper(fixed bool) {
	for i := 0; i < 3; i++ {
		j := &job{make([]byte, 3000)}
		if fixed {
			c := make(chan struct{})
			plant.Later(func() { close(c) })
			go func() {
				plant.Here("keeper", "stuck")
				<-c
			}()
			continue
		}
		go func() {
			plant.Here("keeper", "stuck")
			keep(j)
		}()
	}
}

// ---- a method that never returns to who called it in a goroutine

type service struct {
	name    string
	started chan bool
}

func (s *service) run() {
	close(s.started)
	select {}
}

func method(fixed bool) {
	s := &service{"mail", make(chan bool)}
	go func() {
		plant.Here("method", "stuck")
		if fixed {
			done := make(chan bool)
			plant.Later(func() { close(done) })
			<-done
			return
		}
		s.run()
	}()
	if !fixed {
		<-s.started
	}
}

func main() {
	plant.Park(
		plant.Shape{Name: "keeper", Run: keeper},
		plant.Shape{Name: "method", Run: method},
	)
	select {}
}
