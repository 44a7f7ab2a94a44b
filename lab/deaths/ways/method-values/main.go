// Each request makes its settings anew from the file and asks to be told when the file changes. Nobody takes that back,
// and what is to be called leads to the settings.
package main

import (
	"strconv"
	"sync"
	"time"

	_ "example.com/ways/internal/profiled"
)

type watcher struct {
	mu     sync.Mutex
	notify []func(file string)
}

func (w *watcher) onChange(f func(string)) {
	w.mu.Lock()
	w.notify = append(w.notify, f)
	w.mu.Unlock()
}

type settings struct {
	file   string
	values map[string]string
}

//go:noinline
func parse(n int) *settings {
	s := &settings{file: "shop.toml", values: make(map[string]string)}
	for i := 0; i < n; i++ {
		s.values["section.key."+strconv.Itoa(i)] = "value " + strconv.Itoa(i*i)
	}
	return s
}

func (s *settings) reload(file string) { s.file = file }

type shop struct{ watcher *watcher }

func (s *shop) handle(keys int) string {
	cfg := parse(keys)
	s.watcher.onChange(cfg.reload)
	return cfg.values["section.key.1"]
}

func main() {
	s := &shop{watcher: &watcher{}}
	for began := time.Now(); time.Since(began) < 1300*time.Millisecond; time.Sleep(10 * time.Millisecond) {
		s.handle(2)
	}
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; n < int(time.Since(began).Seconds()*1200); n++ {
			s.handle(400)
		}
	}
}
