// Command mixed has a live heap of as many bytes as asked (-bytes), mixed as a service's is: records with texts of their own, shared categories, lists, maps, boxed
// values, slices, bodies without pointers; 15 million objects in a gigabyte. It writes what the runtime counts to the file that is named, prints READY and stands
// still until its input ends.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
)

type category struct {
	name   string
	parent *category
}

// record has 64 bytes.
type record struct {
	id       int64
	name     string
	category *category
	near     *record
	counts   [2]int64
}

// link is one of a list of 5,000.
type link struct {
	next  *link
	value *record
	n     int64
}

type pair struct{ a, b int64 }

// request has 208 bytes.
type request struct {
	id      int64
	values  []interface{}
	records []*record
	body    []byte
	headers [12]string
}

type group struct {
	records []*record
	lists   []*link
	byName  map[string]*record
	waiting []*request
}

var (
	categories []*category
	byID       = map[int64]*record{}
	groups     []*group
)

const (
	// bytes that go into a unit, about, and units of a group.
	unitBytes  = 3338
	groupUnits = 500
	body       = 1024
)

//go:noinline
func fill(units int) {
	for i := 0; i < 200; i++ {
		c := &category{name: "category " + strconv.Itoa(i)}
		if i > 0 {
			c.parent = categories[i/2]
		}
		categories = append(categories, c)
	}
	var g *group
	var list *link
	var id int64
	for u := 0; u < units; u++ {
		if u%groupUnits == 0 {
			g = &group{byName: map[string]*record{}}
			groups = append(groups, g)
		}
		q := &request{id: int64(u), body: make([]byte, body), records: make([]*record, 0, 10), values: make([]interface{}, 0, 6)}
		for i := 0; i < 10; i++ {
			r := &record{id: id, name: "record " + strconv.FormatInt(1e9+id, 10), category: categories[id%200]}
			if len(g.records) > 0 && id%2 == 0 {
				r.near = g.records[len(g.records)/2]
			}
			byID[id] = r
			g.records, q.records = append(g.records, r), append(q.records, r)
			for j := 0; j < 2; j++ {
				if id%2500 == 0 && j == 0 {
					list = nil
				}
				list = &link{list, r, id}
			}
			if id%2500 == 2499 {
				g.lists = append(g.lists, list)
			}
			id++
		}
		g.byName[q.records[0].name] = q.records[0]
		for i := 0; i < 6; i++ {
			q.values = append(q.values, pair{id, int64(i)})
		}
		q.headers[u%12] = q.records[3].name
		g.waiting = append(g.waiting, q)
	}
}

// serve holds one request.
//
//go:noinline
func serve(q *request, wait chan struct{}) {
	own := make([]byte, 3000)
	<-wait
	runtime.KeepAlive(q)
	runtime.KeepAlive(own)
}

func main() {
	size := flag.Int("bytes", 256<<20, "of the live heap")
	flag.Parse()
	debug.SetGCPercent(400)
	fill(*size / unitBytes)
	wait := make(chan struct{})
	for i := 0; i < 100; i++ {
		go serve(groups[i%len(groups)].waiting[i], wait)
	}
	runtime.GC()
	runtime.GC()
	debug.SetGCPercent(-1)
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	fmt.Println("READY", stats.HeapAlloc, stats.HeapObjects, stats.HeapInuse, pprof.Lookup("heap").Count())
	io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(wait)
}
