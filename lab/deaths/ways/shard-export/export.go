package main

import (
	"fmt"
	"log"
	"sync"
)

type measurement struct {
	station string
	at      int64
	values  []float64
}

type shard struct{ stations []string }

// read gives what the shard has of a day.
func (s *shard) read(day int) []*measurement {
	var all []*measurement
	for n := 0; n < 120; n++ {
		m := &measurement{station: s.stations[n%len(s.stations)], at: int64(n), values: make([]float64, 96)}
		m.values[day%12] = float64(n)
		all = append(all, m)
	}
	return all
}

type exporter struct{ shards []*shard }

type part struct {
	sync.Mutex
	byStation map[string][]*measurement
}

func (p *part) merge(found []*measurement) {
	p.Lock()
	defer p.Unlock()
	for _, m := range found {
		p.byStation[m.station] = append(p.byStation[m.station], m)
	}
}

// safely keeps one shard's fault from ending the service.
func safely(what string, do func()) {
	defer func() {
		if r := recover(); r != nil {
			if _, known := r.(error); !known {
				log.Println(what, r)
			}
		}
	}()
	do()
}

func (e *exporter) day(day int) (string, int) {
	p := &part{byStation: map[string][]*measurement{}}
	var all sync.WaitGroup
	for i := range e.shards {
		s := e.shards[i]
		all.Add(1)
		go safely("export", func() {
			p.merge(s.read(day))
			all.Done()
		})
	}
	all.Wait()
	return fmt.Sprint("day-", day), len(p.byStation)
}
