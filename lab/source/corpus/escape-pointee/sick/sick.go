// What `escape-pointee` must find.
package sick

type v struct{ n int }

func a(m map[string]*v, k string) { m[k] = &v{n: 1} } // want escape-pointee

type store struct{ m map[int]*v }

func (s *store) put(k int) { s.m[k] = &v{n: k} } // want escape-pointee map-only-grows

func b(keys []string) map[string]*v {
	m := make(map[string]*v, len(keys))
	for _, k := range keys {
		m[k] = &v{} // want escape-pointee
	}
	return m
}

var table = map[string]*v{}

func c(k string) {
	table[k] = &v{} // want escape-pointee map-only-grows
}

func d(k int) int {
	m := map[int]*v{}
	m[k] = &v{n: 2} // want escape-pointee
	return m[k].n
}
