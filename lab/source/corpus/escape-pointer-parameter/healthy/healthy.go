// What `escape-pointer-parameter` must not find.
package healthy

type point struct{ x, y int }

func move(p *point)    { p.x++ }
func norm(p point) int { return p.x * p.x }

type big struct{ a, b, c, d, e, f int }

func sum(b *big) int { return b.a + b.f }

func keep(p *point) *point { return p }

func pass(p *point) { move(p) }
