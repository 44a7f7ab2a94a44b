//go:build !unprofiled

// Package debugport is net/http/pprof on the default mux, as services have it.
package debugport

import _ "net/http/pprof"
