//go:build go1.21 && !go1.24

package main

func newest() {}
