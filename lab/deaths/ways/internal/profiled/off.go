//go:build unprofiled

// Package profiled is empty: who refers to no memory profile keeps none, the linker sees to that.
package profiled
