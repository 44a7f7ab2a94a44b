// What `escape-returned-pointer` must find.
package sick

type point struct{ x, y int }

func a() *point { return &point{1, 2} } // want escape-returned-pointer

func b() *int {
	n := 3
	return &n // want escape-returned-pointer
}

func c() *point {
	p := &point{x: 1}
	p.y = 2
	return p // want escape-returned-pointer
}

func d() *int { return new(int) } // want escape-returned-pointer

func e(p point) (*point, error) {
	return &p, nil // want escape-returned-pointer
}
