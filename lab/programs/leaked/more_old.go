//go:build !go1.24

package main

// more needs packages that this release does not have.
func more(*held) {}
