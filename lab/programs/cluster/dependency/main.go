// Command dependency is a service behind resource-service: it answers after a while, or not at all. On a
// second port it takes connections and never says a word.
package main

import (
	"flag"
	"fmt"
	"log"
	"math/rand"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8090", "address to answer on")
	silent := flag.String("silent", "", "address of the port that never answers")
	name := flag.String("name", "playurl", "what it is called")
	latency := flag.Duration("latency", time.Second, "how long an answer takes")
	flag.Parse()
	var wait, failures, ok, failed, inFlight, spent atomic.Int64
	wait.Store(int64(*latency))
	if *silent != "" {
		ln, err := net.Listen("tcp", *silent)
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			var kept []net.Conn
			for {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				kept = append(kept, conn)
			}
		}()
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/playurl", func(w http.ResponseWriter, r *http.Request) {
		inFlight.Add(1)
		defer inFlight.Add(-1)
		began := time.Now()
		defer func() { spent.Add(int64(time.Since(began))) }()
		select {
		case <-time.After(time.Duration(wait.Load())):
		case <-r.Context().Done():
			failed.Add(1)
			return
		}
		if rand.Int63n(1000) < failures.Load() {
			failed.Add(1)
			http.Error(w, "no", http.StatusInternalServerError)
			return
		}
		ok.Add(1)
		fmt.Fprintln(w, "{}")
	})
	mux.HandleFunc("/lab/set", func(w http.ResponseWriter, r *http.Request) {
		if text := r.URL.Query().Get("latency"); text != "" {
			d, err := time.ParseDuration(text)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			wait.Store(int64(d))
		}
		if text := r.URL.Query().Get("failures"); text != "" {
			f, err := strconv.ParseFloat(text, 64)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			failures.Store(int64(f * 1000))
		}
	})
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprintf(w, "# TYPE dependency_requests_total counter\ndependency_requests_total{dependency=%q,code=\"200\"} %d\ndependency_requests_total{dependency=%q,code=\"500\"} %d\n", *name, ok.Load(), *name, failed.Load())
		fmt.Fprintf(w, "# TYPE dependency_in_flight gauge\ndependency_in_flight{dependency=%q} %d\n", *name, inFlight.Load())
		fmt.Fprintf(w, "# TYPE dependency_duration_seconds summary\ndependency_duration_seconds_sum{dependency=%q} %g\ndependency_duration_seconds_count{dependency=%q} %d\n", *name, float64(spent.Load())/1e9, *name, ok.Load()+failed.Load())
	})
	log.Fatal(http.ListenAndServe(*listen, mux))
}
