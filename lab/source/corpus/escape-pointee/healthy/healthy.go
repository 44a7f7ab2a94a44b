// What `escape-pointee` must not find.
package healthy

type v struct{ n int }

func a(m map[string]v, k string)        { m[k] = v{n: 1} }
func b(m map[string]*v, k string, x *v) { m[k] = x }
func c(m map[string]int)                { m["x"]++ }
func d(xs []v, i int)                   { xs[i] = v{} }
func e(m map[string]*v, k string)       { delete(m, k) }
