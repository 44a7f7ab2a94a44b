package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"sync/atomic"
	"time"
)

// configFile is what the admin platform publishes.
type configFile struct {
	Name  string `json:"name"`
	Items []struct {
		Avid int64 `json:"a"`
	} `json:"items"`
}

// config is the decoded form the handlers use. It is never changed once it was
// published to them.
type config struct {
	ids []int64
	// shared is nil unless the service runs with -fixed.
	shared map[int64]struct{}
}

// configStore keeps the newest configuration.
type configStore struct {
	path  string
	fixed bool
	truth *truth

	cur     atomic.Pointer[config]
	modTime time.Time
	size    int64
}

func (s *configStore) current() *config { return s.cur.Load() }

// load decodes the file and makes it the current configuration.
func (s *configStore) load() error {
	// Stat before reading: if the file is replaced in between, the next poll
	// sees a different time and loads it again.
	st, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	reload := s.cur.Load() != nil
	heapBefore := uint64(0)
	if reload {
		heapBefore = heapObjectsBytes()
	}
	raw, err := os.ReadFile(s.path)
	if err != nil {
		return err
	}
	var file configFile
	if err := json.Unmarshal(raw, &file); err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	c := &config{ids: make([]int64, len(file.Items))}
	for i, item := range file.Items {
		c.ids[i] = item.Avid
	}
	if s.fixed {
		// The map is counted as one living map; the one it replaces is gone
		// as soon as the requests that hold it end.
		s.truth.mapBegins(len(c.ids))
		c.shared = buildAvidMap(c.ids)
		s.truth.mapBuilt(len(c.ids))
	}
	if reload {
		s.truth.set(fieldHeapBefore, heapBefore)
	}
	s.truth.set(fieldConfigIDs, uint64(len(c.ids)))
	s.truth.set(fieldConfigLoaded, uint64(time.Now().UnixNano()))
	s.truth.set(fieldConfigMtime, uint64(st.ModTime().UnixNano()))
	old := s.cur.Swap(c)
	if old != nil && old.shared != nil {
		s.truth.mapEnds(len(old.ids))
	}
	s.modTime, s.size = st.ModTime(), st.Size()
	log.Printf("config %q: %d ids, %d bytes", file.Name, len(c.ids), st.Size())
	return nil
}

// watch polls for a newer file. A bad one is reported and the old
// configuration stays in use.
func (s *configStore) watch(every time.Duration) {
	for range time.Tick(every) {
		st, err := os.Stat(s.path)
		if err != nil || (st.ModTime().Equal(s.modTime) && st.Size() == s.size) {
			continue
		}
		if err := s.load(); err != nil {
			log.Printf("config: %v", err)
		}
	}
}
