// Command healthy has more than twenty thousand goroutines that wait as those of healthy services do, in more than forty
// idioms: somebody will wake each of them. Nothing of it may be taken for a leak.
package main

import "example.com/causes/internal/plant"

// idioms of newer releases add theirs.
var idioms []plant.Shape

// idiom plays f for so many goroutines, or however many it needs for that.
func idiom(name string, n int, f func(name string, n int)) {
	idioms = append(idioms, plant.Shape{Name: name, Hasty: true, Run: func(bool) {
		plant.Fact(name, "count", n)
		f(name, n)
	}})
}

// wait has n goroutines call f, each with its number.
func wait(name string, n int, f func(i int)) {
	for i := 0; i < n; i++ {
		i := i
		go func() {
			plant.Here(name, "waits")
			f(i)
		}()
	}
}

func main() {
	// Those first that look for their goroutines among all.
	network()
	locks()
	channels()
	timers()
	places()
	newer()
	bubbles()
	plant.Main(idioms...)
}
