package main

import "math"

type rates struct{ curves *cache }

func (r *rates) build(pair string, spot float64) *curve {
	c := &curve{pair: pair, points: make([]point, 365)}
	for i := range c.points {
		days := float64(i)
		c.points[i] = point{days, spot * math.Exp(days/3650)}
	}
	return c
}

// quoted takes a new price of a pair.
func (r *rates) quoted(pair string, spot float64) { r.curves.set(pair, r.build(pair, spot)) }

func (r *rates) forward(pair string, days int) float64 {
	if c := r.curves.get(pair); c != nil {
		return c.points[days].rate
	}
	return 0
}
