// A health check looks at the status of an answer and never closes its body: the connection stays, with two goroutines
// and their buffers in the client and one in the server, which is in the same process here.
package main

import (
	"bytes"
	"net/http"
	"time"

	_ "example.com/ways/internal/debugport"
	"example.com/ways/internal/visitors"
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

func (c *checker) run(workers int) {
	for i := 0; i < workers; i++ {
		go func() {
			for range time.Tick(2 * time.Millisecond) {
				c.check()
			}
		}()
	}
}

func status(w http.ResponseWriter, r *http.Request) {
	w.Write(bytes.Repeat([]byte("fine\n"), 4000))
}

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("/status", status)
	addr := visitors.Serve(mux)
	c := &checker{client: &http.Client{Transport: &http.Transport{}}, url: "http://" + addr + "/status"}
	time.Sleep(1300 * time.Millisecond)
	c.run(2)
	select {}
}
