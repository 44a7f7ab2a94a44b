package main

import (
	"strings"

	"example.com/ways/feature-flags/flags"
)

type widget struct {
	title string
	state [30]int64
}

type page struct {
	user    string
	widgets []widget
}

type portal struct{ features *flags.Set }

func loadPage(user string) *page {
	p := &page{user: user, widgets: make([]widget, 900)}
	for i := range p.widgets {
		p.widgets[i].title = "widget"
		p.widgets[i].state[i%30] = int64(i)
	}
	return p
}

func (p *portal) home(user string) int {
	home := loadPage(user)
	features := strings.Join(p.features.For(user), ",")
	n := 0
	for _, w := range home.widgets {
		if strings.Contains(features, w.title) {
			n++
		}
	}
	return n
}
