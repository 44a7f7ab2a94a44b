// What `escape-no-size` must not find.
package healthy

func a(xs []int) []int {
	out := make([]int, 0, len(xs))
	for _, x := range xs {
		out = append(out, x)
	}
	return out
}

func b(in <-chan int) []int {
	var out []int
	for x := range in {
		out = append(out, x) // want escape-append-growth
	}
	return out
}

func c(xs []int) []int {
	out := make([]int, len(xs))
	for i, x := range xs {
		out[i] = x
	}
	return out
}

func d(xs []int) []int {
	var out []int
	for _, x := range xs {
		if x > 0 {
			out = append(out, x) // want escape-append-growth
		}
	}
	return out
}

func e() []int {
	var out []int
	return append(out, 1)
}
