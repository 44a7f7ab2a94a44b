package main

type fix struct{ lat, lon float64 }

type bounds struct{ south, west, north, east float64 }

func boundsOf(fixes []fix) bounds {
	b := bounds{90, 180, -90, -180}
	for _, f := range fixes {
		if f.lat < b.south {
			b.south = f.lat
		}
		if f.lat > b.north {
			b.north = f.lat
		}
		if f.lon < b.west {
			b.west = f.lon
		}
		if f.lon > b.east {
			b.east = f.lon
		}
	}
	return b
}

type grid struct {
	bounds
	width, height int
	heat          []float64
}

const perDegree = 220

func newGrid(b bounds) *grid {
	g := &grid{bounds: b, width: int((b.east-b.west)*perDegree) + 1, height: int((b.north-b.south)*perDegree) + 1}
	g.heat = make([]float64, g.width*g.height)
	return g
}

func (g *grid) add(f fix) {
	x, y := int((f.lon-g.west)*perDegree), int((f.lat-g.south)*perDegree)
	g.heat[y*g.width+x]++
}

// smooth spreads the heat of each cell to the next.
func (g *grid) smooth() (hottest float64) {
	for i := 1; i < len(g.heat); i++ {
		g.heat[i] += g.heat[i-1]/2 + 0.001
		if g.heat[i] > hottest {
			hottest = g.heat[i]
		}
	}
	return hottest
}
