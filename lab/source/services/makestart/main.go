// Command makestart makes of makers one thing at its start, and another for each request.
package main

import (
	"context"
	"log"
	"net/http"
	"time"

	"lab.test/services/makers"
)

type server struct {
	queue  *makers.Queue
	limits *makers.Limits
	key    []byte
}

// newServer is called by main alone.
func newServer() (*server, error) {
	key, err := makers.ReadKey("/etc/service/key")
	if err != nil {
		return nil, err
	}
	return &server{queue: makers.NewQueue(), limits: &makers.Limits{}, key: key}, nil
}

func (s *server) feed(w http.ResponseWriter, r *http.Request) {
	feed := makers.NewFeed()
	part, err := makers.ReadPart(r.URL.Path)
	if err != nil || feed == nil {
		http.Error(w, "no such part", http.StatusNotFound)
		return
	}
	_, _ = w.Write(part)
}

// admit asks what waits for a second at most, and what waits for ever.
func (s *server) admit(ctx context.Context) error {
	if err := s.limits.TakeSoon(context.Background()); err != nil { // hint context-not-handed-on
		return err
	}
	return s.limits.Ask(context.Background()) // warn context-not-handed-on
}

func (s *server) index(w http.ResponseWriter, r *http.Request) {
	if err := s.admit(r.Context()); err != nil {
		http.Error(w, "later", http.StatusServiceUnavailable)
	}
}

func main() {
	s, err := newServer()
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/feed/", s.feed)
	mux.HandleFunc("/", s.index)
	web := &http.Server{Addr: ":8080", Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(web.ListenAndServe())
}
