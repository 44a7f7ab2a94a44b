//go:build !usecgo

package main

func parkInC() {}
