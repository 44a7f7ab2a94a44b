// Command loadgen sends requests at a fixed rate, whatever becomes of them
// (open loop): slow or missing answers do not slow it down, as the players of
// a video site do not wait for each other. It ends by itself after -duration,
// also when the server died long before.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	log.SetFlags(0)
	url := flag.String("url", "http://127.0.0.1:8099/x/resource/ugctab?aids=170001,455017,1234567", "what to request")
	rate := flag.Float64("rate", 20, "requests per second")
	duration := flag.Duration("duration", 60*time.Second, "how long to send")
	timeout := flag.Duration("timeout", 12*time.Second, "per request; longer than the server's -downstream")
	latencies := flag.Bool("latencies", false, "print how long answers took, from when each request was due")
	maxOut := flag.Int("max-outstanding", 4000, "requests in flight at most; more are counted as dropped")
	flag.Parse()
	if *rate <= 0 {
		log.Fatal("loadgen: -rate must be above 0")
	}

	client := &http.Client{Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: time.Second}).DialContext,
		MaxIdleConns:        *maxOut,
		MaxIdleConnsPerHost: *maxOut,
		DisableCompression:  true,
	}}
	var ok, failed, dropped atomic.Int64
	var wg sync.WaitGroup
	slots := make(chan struct{}, *maxOut)
	total := int(*rate * duration.Seconds())
	// By number of request; 0 where there was no answer.
	took := make([]time.Duration, total)

	// Requests are due at start + i/rate. A late wake-up is made up for at
	// once, so the mean rate holds on a busy machine too.
	start := time.Now()
	for i := 0; i < total; i++ {
		due := start.Add(time.Duration(float64(i) / *rate * float64(time.Second)))
		time.Sleep(time.Until(due))
		select {
		case slots <- struct{}{}:
		default:
			dropped.Add(1)
			continue
		}
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			defer func() { <-slots }()
			if err := get(client, *url, *timeout); err != nil {
				failed.Add(1)
			} else {
				ok.Add(1)
				took[i] = time.Since(due)
			}
		}(i)
	}
	wg.Wait() // ends within -timeout
	fmt.Printf("sent=%d ok=%d failed=%d dropped=%d seconds=%.1f\n",
		ok.Load()+failed.Load(), ok.Load(), failed.Load(), dropped.Load(), time.Since(start).Seconds())
	if *latencies {
		printLatencies(took)
	}
}

// printLatencies tells percentiles in milliseconds: exact values, of answers alone.
func printLatencies(took []time.Duration) {
	sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
	took = took[sort.Search(len(took), func(i int) bool { return took[i] > 0 }):]
	if len(took) == 0 {
		return
	}
	at := func(share float64) float64 {
		return float64(took[int(share*float64(len(took)-1))].Microseconds()) / 1000
	}
	fmt.Printf("p50_ms=%.3f p90_ms=%.3f p99_ms=%.3f p999_ms=%.3f max_ms=%.3f\n", at(0.5), at(0.9), at(0.99), at(0.999), at(1))
}

func get(client *http.Client, url string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}
