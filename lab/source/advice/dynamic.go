package main

type visitor interface{ visit(e *event) }

type event struct{ kind, at int }

type counter struct{ n int }

func (c *counter) visit(e *event) { c.n += e.kind }

type other struct{ n int }

func (o *other) visit(e *event) { o.n -= e.at }

// Two kinds, so that the compiler cannot know which.
var visitors = []visitor{&counter{}, &other{}}

func dynamicAsIs(n int) int {
	v := visitors[0]
	for i := 0; i < n; i++ {
		e := event{i, n}
		v.visit(&e)
	}
	return v.(*counter).n
}

func dynamicCured(n int) int {
	v := visitors[0].(*counter)
	for i := 0; i < n; i++ {
		e := event{i, n}
		v.visit(&e)
	}
	return v.n
}
