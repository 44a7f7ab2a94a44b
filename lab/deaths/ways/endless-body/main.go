// A report is fetched with io.ReadAll, and the server has begun to stream: it never comes to an end. The library grows
// the buffer; who did not bound it is the program.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	_ "example.com/ways/internal/debugport"
)

func stream(w http.ResponseWriter, r *http.Request) {
	line := make([]byte, 64<<10)
	for i := range line {
		line[i] = '.'
	}
	for {
		if _, err := w.Write(line); err != nil {
			return
		}
		time.Sleep(900 * time.Microsecond)
	}
}

type fetcher struct{ client *http.Client }

func (f *fetcher) fetchReport(url string) ([]byte, error) {
	resp, err := f.client.Get(url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/report", stream)
	go http.Serve(l, mux)
	time.Sleep(1300 * time.Millisecond)
	f := &fetcher{client: &http.Client{Timeout: time.Hour}}
	b, err := f.fetchReport("http://" + l.Addr().String() + "/report")
	fmt.Println(len(b), err)
}
