//go:build !goexperiment.arenas

package main

func more([]*node) {}
