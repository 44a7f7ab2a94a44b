// What `goroutine-no-exit` must not find.
package healthy

import (
	"bufio"
	"context"
	"fmt"
	"time"
)

func ticking(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	go func() {
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				fmt.Println("tick")
			}
		}
	}()
}

func worker(jobs <-chan int) {
	go func() {
		for j := range jobs {
			fmt.Println(j)
		}
	}()
}

type server struct{ quit chan struct{} }

func (s *server) run() {
	go s.loop()
}

func (s *server) loop() {
	for {
		select {
		case <-s.quit:
			return
		case <-time.After(time.Second):
		}
	}
}

func read(r *bufio.Reader, lines chan<- string) {
	go func() {
		defer close(lines)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			lines <- line
		}
	}()
}

func retry(f func() error) {
	go func() {
		for {
			if f() == nil {
				break
			}
			time.Sleep(time.Second)
		}
	}()
}

func drain(in chan int) {
	go func() {
	loop:
		for {
			select {
			case _, ok := <-in:
				if !ok {
					break loop
				}
			}
		}
	}()
}

func init() {
	go func() {
		for {
			time.Sleep(time.Hour)
		}
	}()
}
