// Command slow-consumer has goroutines that wait to put something into a full queue: who empties it lives, and is slow.
package main

import (
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"example.com/causes/internal/plant"
)

type event struct {
	id   int
	body [500]byte
}

// ---- a consumer that sleeps after each

type exporter struct {
	queue chan *event
	done  int
}

func (x *exporter) run(fixed bool) {
	plant.Here("sleeps", "consumer")
	for range x.queue {
		if !fixed {
			time.Sleep(time.Hour)
		}
		x.done++
	}
}

func (x *exporter) export(id int) {
	x.queue <- &event{id: id}
}

func sleeps(fixed bool) {
	x := &exporter{queue: make(chan *event, 8)}
	if fixed {
		plant.AtEnd(func() { close(x.queue) })
	}
	go x.run(fixed)
	for i := 0; i < 30; i++ {
		i := i
		go func() {
			plant.Here("sleeps", "stuck")
			x.export(i)
		}()
	}
}

// ---- a consumer that writes to a peer who does not read

type forwarder struct {
	conn  net.Conn
	queue chan []byte
}

func (f *forwarder) run() {
	plant.Here("writes", "consumer")
	for b := range f.queue {
		if _, err := f.conn.Write(b); err != nil {
			return
		}
	}
}

func (f *forwarder) forward(b []byte) { f.queue <- b }

func writes(fixed bool) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		panic(err)
	}
	plant.AtEnd(func() { l.Close() })
	plant.Fact("writes", "peer", l.Addr())
	f := &forwarder{conn: conn, queue: make(chan []byte, 4)}
	size := 4 << 20
	if fixed {
		size = 10
		plant.AtEnd(func() { close(f.queue) })
	}
	go f.run()
	body := make([]byte, size)
	for i := 0; i < 20; i++ {
		go func() {
			plant.Here("writes", "stuck")
			f.forward(body)
		}()
	}
}

// ---- a consumer in a system call: a pipe that is full

type logger struct {
	mu    sync.Mutex
	lines chan string
	fd    int
}

func (l *logger) run() {
	for s := range l.lines {
		l.mu.Lock()
		syscall.Write(l.fd, []byte(s))
		l.mu.Unlock()
	}
}

func pipe(fixed bool) {
	fds := make([]int, 2)
	if err := syscall.Pipe(fds); err != nil {
		panic(err)
	}
	if fixed {
		null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			panic(err)
		}
		plant.AtEnd(func() { null.Close() })
		fds[1] = int(null.Fd())
	} else {
		syscall.SetNonblock(fds[1], true)
		for full := make([]byte, 4096); ; {
			if n, err := syscall.Write(fds[1], full); n < 0 || err != nil {
				break
			}
		}
		syscall.SetNonblock(fds[1], false)
	}
	l := &logger{lines: make(chan string, 2), fd: fds[1]}
	if fixed {
		plant.AtEnd(func() { close(l.lines) })
	}
	go l.run()
	for i := 0; i < 10; i++ {
		go func() {
			plant.Here("pipe", "stuck")
			l.lines <- "a line"
		}()
	}
	time.Sleep(30 * time.Millisecond)
}

func main() {
	plant.Main(
		plant.Shape{Name: "sleeps", Run: sleeps},
		plant.Shape{Name: "writes", Run: writes},
		plant.Shape{Name: "pipe", Run: pipe},
	)
}
