// A health check looks at the status of an answer and never closes its body: the connection stays, with two goroutines of
// the library and their buffers, which no function of the program has started or allocated.
package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"time"

	_ "example.com/ways/internal/debugport"
)

type checker struct {
	client *http.Client
	url    string
	failed int
}

// check forgets resp.Body.Close.
func (c *checker) check() {
	resp, err := c.client.Get(c.url)
	if err != nil || resp.StatusCode != http.StatusOK {
		c.failed++
	}
}

func (c *checker) run(every time.Duration) {
	for range time.Tick(every) {
		c.check()
	}
}

// answer is the other end, one goroutine for all: the beginning of a long answer for everybody who asks.
func answer(l net.Listener) {
	var all []net.Conn
	question := make([]byte, 4096)
	body := bytes.Repeat([]byte("fine\n"), 800)
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		c.Read(question)
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n%s", body)
		all = append(all, c)
	}
}

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go answer(l)
	c := &checker{client: &http.Client{Transport: &http.Transport{}}, url: "http://" + l.Addr().String() + "/status"}
	time.Sleep(1300 * time.Millisecond)
	c.run(time.Millisecond)
}
