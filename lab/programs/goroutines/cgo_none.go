//go:build !cgo

package main

func inC() {}

func busyInC() {}
