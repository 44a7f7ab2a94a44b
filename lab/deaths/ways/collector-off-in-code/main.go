// Somebody has switched the collector off in code, for the speed of an import, and the import became a service: lines
// are built, sent and forgotten.
package main

import (
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	_ "example.com/ways/internal/profiled"
)

type sink struct{ bytes int }

func (s *sink) send(line string) { s.bytes += len(line) }

//go:noinline
func line(fields int) string {
	var b strings.Builder
	for i := 0; i < fields; i++ {
		b.WriteString(strconv.Itoa(i))
		b.WriteByte(';')
	}
	return b.String()
}

func runImport(s *sink) {
	began := time.Now()
	for n := 0; ; time.Sleep(time.Millisecond) {
		for n < int(time.Since(began).Seconds()*4000) {
			s.send(line(2000))
			n++
		}
	}
}

func main() {
	debug.SetGCPercent(-1)
	time.Sleep(1300 * time.Millisecond)
	runImport(&sink{})
}
