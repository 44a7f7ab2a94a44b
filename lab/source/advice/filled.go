package main

//go:noinline
func set(n int) map[int64]struct{} {
	m := make(map[int64]struct{})
	for i := 0; i < n; i++ {
		m[int64(i)*7919] = struct{}{}
	}
	return m
}

func filledAsIs(n int) int { return len(set(n)) }

//go:noinline
func setSized(n int) map[int64]struct{} {
	m := make(map[int64]struct{}, n)
	for i := 0; i < n; i++ {
		m[int64(i)*7919] = struct{}{}
	}
	return m
}

func filledCured(n int) int { return len(setSized(n)) }
