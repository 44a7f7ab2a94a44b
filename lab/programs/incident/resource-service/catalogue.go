package main

import (
	"fmt"
	"math/rand"
)

// catalogue is the ordinary live heap of the service: what a resource service
// caches, in the mix of types such caches have.
type catalogue struct {
	videos []*video
	byID   map[int64]*video
}

type video struct {
	id     int64
	title  string
	tags   []string
	cover  []byte
	stats  *videoStats
	scores []float64
}

type videoStats struct {
	plays, likes, coins, shares uint64
	byDay                       [14]uint32
}

// loadCatalogue makes a catalogue of about size bytes. The content is the same
// in each run.
func loadCatalogue(size int) *catalogue {
	rng := rand.New(rand.NewSource(1))
	c := &catalogue{byID: make(map[int64]*video)}
	for used := 0; used < size; {
		v := newVideo(rng)
		c.videos = append(c.videos, v)
		c.byID[v.id] = v
		// The numbers are the fixed parts: struct, stats, list and map slots.
		used += 112 + 96 + 60 + len(v.title) + 32*len(v.tags) + cap(v.cover) + 8*len(v.scores)
	}
	return c
}

func newVideo(rng *rand.Rand) *video {
	v := &video{
		id:     100_000 + rng.Int63n(9_900_000),
		cover:  make([]byte, 256+rng.Intn(1024)),
		stats:  &videoStats{plays: rng.Uint64() >> 40, likes: rng.Uint64() >> 48},
		scores: make([]float64, 8+rng.Intn(24)),
	}
	v.title = fmt.Sprintf("video %d, part %d", v.id, rng.Intn(12))
	for i := 0; i < 1+rng.Intn(4); i++ {
		v.tags = append(v.tags, fmt.Sprintf("tag-%d", rng.Intn(5000)))
	}
	for i := range v.scores {
		v.scores[i] = rng.Float64()
	}
	// Written, not only allocated: untouched pages would not be resident.
	rng.Read(v.cover)
	return v
}

func (c *catalogue) title(id int64) string {
	if v := c.byID[id]; v != nil {
		return v.title
	}
	return ""
}
