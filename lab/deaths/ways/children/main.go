// A service that has been calm for hours hands documents to converters, processes of their own, and they stay: they
// fill the group, and the kernel ends the largest in it, which is the service.
package main

import (
	"io"
	"os/exec"
	"time"

	_ "example.com/ways/internal/profiled"
)

type converter struct {
	cmd *exec.Cmd
	in  io.WriteCloser
}

// start runs a converter; this one keeps all that it is given.
func start() (*converter, error) {
	cmd := exec.Command("tail", "-c", "200000000")
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return &converter{cmd: cmd, in: in}, cmd.Start()
}

type library struct{ shelves [][]byte }

func open(n int) *library {
	l := &library{}
	for i := 0; i < n; i++ {
		shelf := make([]byte, 1<<20)
		for j := range shelf {
			shelf[j] = byte(i)
		}
		l.shelves = append(l.shelves, shelf)
	}
	return l
}

func main() {
	l := open(80)
	var all []*converter
	time.Sleep(4 * time.Second)
	for n := 0; n < 12; n++ {
		c, err := start()
		if err != nil {
			panic(err)
		}
		all = append(all, c)
	}
	for n := 0; ; n++ {
		all[n%len(all)].in.Write(l.shelves[n%len(l.shelves)][:64<<10])
		time.Sleep(800 * time.Microsecond)
	}
}
