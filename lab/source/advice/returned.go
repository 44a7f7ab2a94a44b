package main

type point struct{ x, y, z int }

//go:noinline
func newPoint(n int) *point {
	p := point{n, n + 1, n + 2}
	return &p
}

func returnedAsIs(n int) int {
	sum := 0
	for i := 0; i < n; i++ {
		sum += newPoint(i).y
	}
	return sum
}

//go:noinline
func makePoint(n int) point {
	return point{n, n + 1, n + 2}
}

func returnedCured(n int) int {
	sum := 0
	for i := 0; i < n; i++ {
		sum += makePoint(i).y
	}
	return sum
}
