// Command response-body-not-closed has clients that forget the bodies of responses: each keeps a connection and the two
// goroutines of it.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"example.com/causes/internal/plant"
	"example.com/causes/internal/servers"
)

const (
	readLoop  = "net/http.(*persistConn).readLoop"
	writeLoop = "net/http.(*persistConn).writeLoop"
)

func found(shape string, n int, fixed bool) {
	if fixed {
		// As many as are idle.
		time.Sleep(50 * time.Millisecond)
		plant.Find(shape, "stuck", readLoop)
		plant.Find(shape, "stuck", writeLoop)
		return
	}
	plant.FindN(shape, "stuck", readLoop, n)
	plant.FindN(shape, "stuck", writeLoop, n)
}

func done(r *http.Response, fixed bool) {
	if fixed {
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
}

// ---- only the status is of interest

type probe struct {
	client *http.Client
	target string
	last   int
}

func (p *probe) check(fixed bool) error {
	r, err := p.client.Get(p.target)
	if err != nil {
		return err
	}
	p.last = r.StatusCode
	done(r, fixed)
	return nil
}

func status(fixed bool) {
	p := &probe{client: &http.Client{Transport: &http.Transport{}}, target: servers.HTTP() + "/health"}
	for i := 0; i < 5; i++ {
		if err := p.check(fixed); err != nil {
			panic(err)
		}
	}
	found("status", 5, fixed)
}

// ---- the default client, decoded and returned at an error

type item struct {
	ID   int
	Name string
}

func fetch[T any](url string, fixed bool) (T, error) {
	var v T
	r, err := http.Get(url)
	if err != nil {
		return v, err
	}
	if r.StatusCode != http.StatusNoContent {
		done(r, fixed)
		return v, fmt.Errorf("status %d", r.StatusCode)
	}
	defer r.Body.Close()
	return v, json.NewDecoder(r.Body).Decode(&v)
}

func generic(fixed bool) {
	url := servers.HTTP()
	for i := 0; i < 4; i++ {
		_, _ = fetch[item](url, fixed)
	}
	found("default-client", 4, fixed)
}

// ---- one object is decoded, the rest left

type api struct {
	base string
	http http.Client
}

func (a *api) first(path string, fixed bool) (i item, err error) {
	q, err := http.NewRequest("GET", a.base+path, nil)
	if err != nil {
		return i, err
	}
	r, err := a.http.Do(q)
	if err != nil {
		return i, err
	}
	err = json.NewDecoder(r.Body).Decode(&i)
	done(r, fixed)
	return i, err
}

func decoded(fixed bool) {
	a := &api{base: servers.HTTP(), http: http.Client{Transport: &http.Transport{MaxIdleConns: 10, IdleConnTimeout: time.Hour}}}
	for i := 0; i < 3; i++ {
		if _, err := a.first("/items", fixed); err != nil {
			panic(err)
		}
	}
	found("decoded", 3, fixed)
}

func main() {
	plant.Main(
		plant.Shape{Name: "status", Run: status},
		plant.Shape{Name: "default-client", Run: generic},
		plant.Shape{Name: "decoded", Run: decoded},
	)
}
