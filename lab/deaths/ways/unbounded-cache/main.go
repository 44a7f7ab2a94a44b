// Thumbnails are kept by their whole URL, and URLs carry a time: nothing is ever found again and all of it is kept.
package main

import (
	"fmt"
	"sync"
	"time"

	_ "example.com/ways/internal/profiled"
)

var thumbnails sync.Map

type thumbnail struct {
	url  string
	data []byte
}

//go:noinline
func scale(url string) *thumbnail {
	t := &thumbnail{url: url, data: make([]byte, 20<<10)}
	for i := range t.data {
		t.data[i] = byte(i)
	}
	return t
}

func thumbnailOf(url string) *thumbnail {
	if t, ok := thumbnails.Load(url); ok {
		return t.(*thumbnail)
	}
	t := scale(url)
	thumbnails.Store(url, t)
	return t
}

func serve(worker int, urls <-chan string) {
	for url := range urls {
		thumbnailOf(url)
	}
}

func main() {
	urls := make(chan string)
	for w := 0; w < 4; w++ {
		go serve(w, urls)
	}
	time.Sleep(1300 * time.Millisecond)
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; n < int(time.Since(began).Seconds()*3000); n++ {
			urls <- fmt.Sprintf("https://img.example.com/%d.png?t=%d", n%50, time.Now().UnixNano())
		}
	}
}
