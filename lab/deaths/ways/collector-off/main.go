// A service is started with GOGC=off, by a manifest that was written for a batch job: what grows is garbage of JSON.
package main

import (
	"encoding/json"
	"time"

	_ "example.com/ways/internal/debugport"
)

type item struct {
	Name string   `json:"name"`
	Tags []string `json:"tags"`
	Size int      `json:"size"`
}

type answer struct {
	Items []item `json:"items"`
	Next  string `json:"next"`
}

//go:noinline
func encode(n int) []byte {
	a := answer{Next: "more"}
	for i := 0; i < n; i++ {
		a.Items = append(a.Items, item{Name: "thing", Tags: []string{"a", "b"}, Size: i})
	}
	b, err := json.Marshal(a)
	if err != nil {
		return nil
	}
	return b
}

func main() {
	sent := 0
	time.Sleep(1300 * time.Millisecond)
	for {
		sent += len(encode(400))
		time.Sleep(500 * time.Microsecond)
	}
}
