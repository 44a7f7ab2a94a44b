// A track of positions is appended to without end. Each time that it is full a larger one is made and the old one is
// copied: both are there at once.
package main

import (
	"time"

	_ "example.com/ways/internal/profiled"
)

type position struct {
	lat, lon, height float64
	at               int64
}

type tracker struct{ track []position }

//go:noinline
func (t *tracker) record(p position) { t.track = append(t.track, p) }

func (t *tracker) listen(perSecond float64) {
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; float64(n) < perSecond*time.Since(began).Seconds(); n++ {
			t.record(position{lat: float64(n), at: int64(n)})
		}
	}
}

func main() {
	t := &tracker{}
	time.Sleep(1300 * time.Millisecond)
	t.listen(1.2e6)
}
