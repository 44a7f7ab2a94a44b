package main

import (
	"encoding/json"
	"runtime/debug"
)

type tuning struct {
	GCPercent int `json:"gc_percent"`
	Streets   int `json:"streets"`
}

func configure(text string) (t tuning) {
	t.GCPercent = 100
	json.Unmarshal([]byte(text), &t)
	debug.SetGCPercent(t.GCPercent)
	return t
}
