// Command caller is a service in front of resource-service: it asks at a rate (open loop: whatever becomes
// of the answers), gives up after a timeout, tries again so many times, and, if it has a fallback, answers
// its own callers without. It counts for Prometheus, first attempts and retries apart.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

type caller struct {
	name, base string
	path       atomic.Pointer[string]
	// rate is a thousandth of a request a second.
	rate, timeout, retries, inFlight               atomic.Int64
	fallback                                       atomic.Bool
	requests, ok, failed, fellBack, first, retried atomic.Int64
	errors, timeouts, dropped                      atomic.Int64
	client                                         *http.Client
}

const mostInFlight = 5000

func main() {
	c := &caller{}
	listen := flag.String("listen", "127.0.0.1:8080", "address of /metrics and /lab/set")
	flag.StringVar(&c.name, "name", "tianma", "what it is called")
	flag.StringVar(&c.base, "base", "", "address of the balancer")
	settings := flag.String("set", "", "settings at start, as /lab/set takes them")
	flag.Parse()
	path := "/x/resource/ugctab?aids=170001,455017"
	c.path.Store(&path)
	c.timeout.Store(int64(10 * time.Second))
	if err := c.set(*settings); err != nil {
		log.Fatal(err)
	}
	c.client = &http.Client{Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: time.Second}).DialContext,
		MaxIdleConns:        mostInFlight,
		MaxIdleConnsPerHost: mostInFlight,
	}}
	mux := http.NewServeMux()
	mux.HandleFunc("/metrics", c.metrics)
	mux.HandleFunc("/lab/set", func(w http.ResponseWriter, r *http.Request) {
		if err := c.set(r.URL.RawQuery); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	go c.run()
	log.Fatal(http.ListenAndServe(*listen, mux))
}

// set reads NAME=VALUE joined by &: rate (a second), timeout, retries, fallback, path (escaped).
func (c *caller) set(query string) error {
	for _, field := range strings.Split(query, "&") {
		name, value, _ := strings.Cut(field, "=")
		var err error
		switch name {
		case "":
		case "rate":
			var f float64
			if f, err = strconv.ParseFloat(value, 64); err == nil {
				c.rate.Store(int64(f * 1000))
			}
		case "timeout":
			var d time.Duration
			if d, err = time.ParseDuration(value); err == nil {
				c.timeout.Store(int64(d))
			}
		case "retries":
			var n int
			if n, err = strconv.Atoi(value); err == nil {
				c.retries.Store(int64(n))
			}
		case "fallback":
			c.fallback.Store(value == "true")
		case "path":
			unescaped := strings.NewReplacer("%3F", "?", "%3D", "=", "%26", "&", "%2C", ",", "%2F", "/").Replace(value)
			c.path.Store(&unescaped)
		default:
			err = fmt.Errorf("no setting %q", name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// run sends for ever. A late wake-up is made up for at once, so the mean rate holds on a busy machine too.
func (c *caller) run() {
	due, last := 0.0, time.Now()
	for {
		time.Sleep(2 * time.Millisecond)
		now := time.Now()
		due += now.Sub(last).Seconds() * float64(c.rate.Load()) / 1000
		last = now
		for ; due >= 1; due-- {
			if c.inFlight.Load() >= mostInFlight {
				c.dropped.Add(1)
				continue
			}
			c.inFlight.Add(1)
			go c.request()
		}
	}
}

func (c *caller) request() {
	defer c.inFlight.Add(-1)
	c.requests.Add(1)
	for try := int64(0); try <= c.retries.Load(); try++ {
		if try == 0 {
			c.first.Add(1)
		} else {
			c.retried.Add(1)
		}
		err := c.attempt()
		if err == nil {
			c.ok.Add(1)
			return
		}
		if os.IsTimeout(err) || strings.Contains(err.Error(), "deadline") {
			c.timeouts.Add(1)
		} else {
			c.errors.Add(1)
		}
	}
	if c.fallback.Load() {
		c.fellBack.Add(1)
		return
	}
	c.failed.Add(1)
}

func (c *caller) attempt() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(c.timeout.Load()))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+*c.path.Load(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", c.name)
	resp, err := c.client.Do(req)
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

func (c *caller) metrics(w http.ResponseWriter, _ *http.Request) {
	counter := func(name, labels string, v int64) {
		fmt.Fprintf(w, "# TYPE %s counter\n%s{caller=%q%s} %d\n", name, name, c.name, labels, v)
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	fmt.Fprintf(w, "# TYPE caller_requests_total counter\n")
	for _, result := range []struct {
		name string
		n    int64
	}{{"ok", c.ok.Load()}, {"failed", c.failed.Load()}, {"fallback", c.fellBack.Load()}, {"dropped", c.dropped.Load()}} {
		fmt.Fprintf(w, "caller_requests_total{caller=%q,result=%q} %d\n", c.name, result.name, result.n)
	}
	counter("caller_attempts_total", "", c.first.Load()+c.retried.Load())
	counter("caller_first_attempts_total", "", c.first.Load())
	counter("caller_retries_total", "", c.retried.Load())
	counter("caller_errors_total", "", c.errors.Load())
	counter("caller_timeouts_total", "", c.timeouts.Load())
	fmt.Fprintf(w, "# TYPE caller_in_flight gauge\ncaller_in_flight{caller=%q} %d\n", c.name, c.inFlight.Load())
}
