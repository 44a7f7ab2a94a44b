package fanout

import (
	"log"
	"sync"
)

type Shard interface {
	Load(key string) ([]byte, error)
}

func LoadAll(shards []Shard, key string) [][]byte {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var out [][]byte
	for _, s := range shards {
		wg.Add(1)
		go func(s Shard) {
			b, err := s.Load(key)
			if err != nil {
				log.Printf("load: %v", err)
				return // warn wg-done-missed
			}
			mu.Lock()
			out = append(out, b)
			mu.Unlock()
			wg.Done()
		}(s)
	}
	wg.Wait()
	return out
}
