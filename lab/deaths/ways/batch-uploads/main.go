// A batch is uploaded in parts of a megabyte, one goroutine each. The store takes them and is long in saying so; the
// client would wait a minute, and the parts wait with it.
package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	_ "example.com/ways/internal/profiled"
)

// stall is a store that takes everything and answers late.
func stall() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go io.Copy(io.Discard, c)
		}
	}()
	return "http://" + l.Addr().String() + "/part"
}

type batch struct {
	client *http.Client
	url    string
	wait   sync.WaitGroup
}

//go:noinline
func readPart(number int) []byte {
	part := make([]byte, 1<<20)
	for i := range part {
		part[i] = byte(i * number)
	}
	return part
}

func (b *batch) upload(number int) error {
	defer b.wait.Done()
	part := readPart(number)
	for try := 0; ; try++ {
		res, err := b.client.Post(b.url, "application/octet-stream", bytes.NewReader(part))
		if err == nil {
			return res.Body.Close()
		}
		if try == 3 {
			return err
		}
	}
}

func (b *batch) run(parts int) {
	for n := 0; n < parts; n++ {
		b.wait.Add(1)
		go b.upload(n)
		time.Sleep(20 * time.Millisecond)
	}
	b.wait.Wait()
}

func main() {
	b := &batch{client: &http.Client{Timeout: time.Minute}, url: stall()}
	time.Sleep(1300 * time.Millisecond)
	b.run(2000)
}
