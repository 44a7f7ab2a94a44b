//go:build unprofiled

// Package debugport is empty: the service has no debug port and keeps no memory profile.
package debugport
