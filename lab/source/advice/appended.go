package main

//go:noinline
func evens(n int) []int {
	var out []int
	for i := 0; i < n; i++ {
		out = append(out, i*2)
	}
	return out
}

func appendedAsIs(n int) int { return len(evens(n)) }

//go:noinline
func evensSized(n int) []int {
	out := make([]int, 0, n)
	for i := 0; i < n; i++ {
		out = append(out, i*2)
	}
	return out
}

func appendedCured(n int) int { return len(evensSized(n)) }
