package main

import (
	"lastgasp.example/lab/cluster/resource-service/bugs"
	"lastgasp.example/lab/cluster/resource-service/uses/rebuild"
)

// What follows is written anew for each release that a scenario names: its version, the keys of its
// configuration with what it does with each, and the bugs that came with it.

const version = "0.0.0"

var keys = []key{
	{name: "ugctab", load: rebuild.Load, handle: rebuild.Handle},
}

func released() []bugs.Released { return nil }
