// What `escape-returned-pointer` must not find.
package healthy

type point struct{ x, y int }

func a() point { return point{1, 2} }

func b(p *point) *point { return p }

func c(p *point) *int { return &p.x }

var shared point

func d() *point { return &shared }

func e() (p *point) { return nil }
