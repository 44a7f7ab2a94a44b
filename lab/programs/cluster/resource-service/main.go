// Command resource-service is the service of the incident as it stands in a cluster: it reads its
// configuration from etcd, asks another service for each request, counts what it does for Prometheus, and is
// built as one release or another (release.go). Nothing in here helps a profiler from outside.
package main

import (
	"flag"
	"log"
	"math/rand"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"lastgasp.example/lab/cluster/resource-service/bugs"
	"lastgasp.example/lab/cluster/resource-service/serve"
)

// key is one key of the configuration: how it is taken in, and what answers requests of its path.
type key struct {
	name   string
	load   func([]byte) (int, error)
	handle func(http.ResponseWriter, *http.Request, *serve.Work)
}

// The catalogue of videos: the live heap of the calm service.
var catalogue [][]byte

func loadCatalogue(bytes int) {
	rng := rand.New(rand.NewSource(1))
	for held := 0; held < bytes; held += 16 << 10 {
		video := make([]byte, 16<<10)
		// Written, not only allocated: untouched pages would not be resident.
		rng.Read(video)
		catalogue = append(catalogue, video)
	}
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8099", "address to serve on")
	etcd := flag.String("etcd", "", "address of etcd's JSON gateway (http://HOST:PORT)")
	prefix := flag.String("prefix", "/config/resource-service/", "where the keys of the configuration stand")
	dependency := flag.String("dependency", "", "address of the service that is asked for each request")
	silent := flag.String("silent", "", "HOST:PORT that takes connections and never says a word")
	scratch := flag.String("scratch", os.TempDir(), "folder for files in memory")
	disk := flag.String("disk", os.TempDir(), "folder for files on a disk")
	baseMB := flag.Int("base-mb", 40, "live heap of the calm service, in MB")
	requestKB := flag.Int("request-kb", 16, "memory that each request holds for as long as it lasts, in KB")
	garbageKB := flag.Int("garbage-kb", 64, "short-lived memory of each request, in KB")
	concurrency := flag.Int("concurrency", 0, "requests that are worked on at a time; others wait (0: all)")
	stubborn := flag.Bool("stubborn", false, "go on with a request whose caller has given up")
	flag.Parse()
	log.SetFlags(log.LstdFlags | log.Lmicroseconds)

	// A server answers who has come before it ends.
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)

	loadCatalogue(*baseMB << 20)
	work := serve.NewWork(*dependency, *requestKB<<10, *garbageKB<<10, *stubborn)
	all := bugs.Arm(released(), bugs.Surroundings{Silent: *silent, Scratch: *scratch})
	counts := newCounts(*concurrency)
	mux := http.NewServeMux()
	for _, k := range keys {
		k := k
		mux.HandleFunc("/x/resource/"+k.name, func(w http.ResponseWriter, r *http.Request) {
			all.OfRequest()
			counts.count(w, func(w http.ResponseWriter) { k.handle(w, r, work) })
		})
	}
	mux.HandleFunc("/x/resource/export", func(w http.ResponseWriter, r *http.Request) {
		all.OfRequest()
		counts.count(w, func(w http.ResponseWriter) { exportAll(w, r, work) })
	})
	var draining atomic.Bool
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if draining.Load() {
			http.Error(w, "draining", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/metrics", counts.write)
	// What a scenario does to one instance: nothing that a deployment or a configuration would show.
	mux.HandleFunc("/lab/trigger", all.Trigger)
	mux.HandleFunc("/lab/files", files(*disk))
	// pprof registers itself on the default one.
	mux.Handle("/debug/pprof/", http.DefaultServeMux)

	if *etcd != "" {
		c := &client{base: *etcd, prefix: *prefix}
		if err := c.loadAll(); err != nil {
			log.Fatalf("config: %v", err)
		}
		go c.watch()
	}
	// Start calm: give back what the start-up used.
	runtime.GC()
	debug.FreeOSMemory()

	ln, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatalf("listen: %v", err)
	}
	all.Start()
	log.Printf("resource-service %s listens on %s", version, ln.Addr())
	server := &http.Server{Handler: mux}
	go func() {
		<-ended
		draining.Store(true)
		time.Sleep(200 * time.Millisecond)
		os.Exit(0)
	}()
	log.Fatal(server.Serve(ln))
}
