// Command resource-service is a small but real Go service which carries the
// bug of the incident that lastgasp was made for: every request to
// /x/resource/ugctab rebuilds a map from the cached configuration. With a few
// hundred ids nobody notices. With 230,000 ids the kernel kills the process a
// few seconds after the configuration was published.
//
// Nothing in here helps a profiler from outside. It imports net/http/pprof,
// as most services do, and that is all.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/pprof"
	"runtime"
	"runtime/debug"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8099", "address to serve on (port 0 picks a free one; it is printed)")
	configPath := flag.String("config", "ugctab.json", "configuration file, published by rename")
	poll := flag.Duration("poll", 200*time.Millisecond, "how often to look for a new configuration")
	downstream := flag.Duration("downstream", 8*time.Second, "simulated latency of the downstream call")
	fixed := flag.Bool("fixed", false, "build the map once per configuration instead of once per request")
	baseMB := flag.Int("base-mb", 150, "live heap of the calm service, in MB")
	garbageKB := flag.Int("garbage-kb", 16, "short-lived scratch memory per request, in KB")
	truthPath := flag.String("truth", "", "file to keep the ground truth for tests in (empty: none)")
	measureIDs := flag.Int("measure-ids", 230000, "size of the map that is measured at start for the truth file")
	flag.Parse()
	log.SetFlags(log.LstdFlags | log.Lmicroseconds)

	truth, err := openTruth(*truthPath)
	if err != nil {
		log.Fatalf("truth: %v", err)
	}
	// Before anything else lives on the heap: it is quiet now, and the
	// collections that measuring needs cost nothing.
	if *truthPath != "" {
		truth.measureMap(*measureIDs)
	}

	catalogue := loadCatalogue(*baseMB << 20)
	log.Printf("catalogue: %d videos", len(catalogue.videos))

	store := &configStore{path: *configPath, fixed: *fixed, truth: truth}
	if err := store.load(); err != nil {
		log.Fatalf("config: %v", err)
	}

	// Start calm: give back what the start-up used, so that the resident set
	// is the base heap and nothing else. The first collection finishes what is
	// under way and the second one publishes the heap profile of the
	// catalogue. Nothing below ever forces a collection again.
	runtime.GC()
	runtime.GC()
	debug.FreeOSMemory()

	srv := &Server{
		store:        store,
		catalogue:    catalogue,
		downstream:   *downstream,
		garbageBytes: *garbageKB << 10,
		truth:        truth,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/x/resource/ugctab", srv.ugcTab)
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)

	ln, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatalf("listen: %v", err)
	}
	go truth.keepUpdated(5 * time.Millisecond)
	go store.watch(*poll)
	log.Printf("listening on %s", ln.Addr())
	log.Fatal((&http.Server{Handler: mux}).Serve(ln))
}
