package main

//go:noinline
func measure(v any) int {
	if n, ok := v.(int); ok {
		kept = v
		return n
	}
	return 0
}

var kept any

func boxedAsIs(n int) int {
	sum := 0
	for i := 0; i < n; i++ {
		sum += measure(i + 1000)
	}
	return sum
}

//go:noinline
func measureInt(n int) int { return n }

func boxedCured(n int) int {
	sum := 0
	for i := 0; i < n; i++ {
		sum += measureInt(i + 1000)
	}
	return sum
}
