// Command served answers HTTP requests as a small service does: each one allocates some hundred kilobytes, beside a live heap of -live bytes that the garbage
// collector marks again and again. What watching it costs is measured by how long its answers take.
package main

import (
	"encoding/json"
	"flag"
	"log"
	"net/http"
	"runtime"
	"strconv"
)

type entry struct {
	Name string
	Tags []string
	Next *entry `json:"-"`
}

var live []*entry

func makeEntry(i int) *entry {
	n := strconv.Itoa(i)
	return &entry{Name: "entry-" + n, Tags: []string{"a" + n, "b" + n}}
}

func answer(w http.ResponseWriter, _ *http.Request) {
	table := make(map[string]*entry)
	for i := 0; i < 500; i++ {
		e := makeEntry(i)
		e.Next = live[i%len(live)]
		table[e.Name] = e
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(table); err != nil {
		log.Print(err)
	}
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address")
	bytes := flag.Int("live", 64<<20, "live heap, about")
	flag.Parse()
	// Without a reference to it the linker switches the profile off.
	runtime.MemProfile(nil, true)
	const each = 120
	for i := 0; i < *bytes/each; i++ {
		live = append(live, makeEntry(i))
	}
	http.HandleFunc("/", answer)
	log.Fatal(http.ListenAndServe(*listen, nil))
}
