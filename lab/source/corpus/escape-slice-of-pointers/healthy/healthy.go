// What `escape-slice-of-pointers` must not find.
package healthy

type item struct{ n int }

func a() []item                     { return []item{{n: 1}, {n: 2}} }
func b(xs []item) []item            { return append(xs, item{n: 3}) }
func c(xs []*item, x *item) []*item { return append(xs, x) }
func d() []*item                    { return nil }
func e() []*item                    { return make([]*item, 0, 3) }
