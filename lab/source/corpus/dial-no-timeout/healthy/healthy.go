// What `dial-no-timeout` must not find.
package healthy

import (
	"context"
	"net"
	"time"
)

func connect(addr string) (net.Conn, error) {
	return net.DialTimeout("tcp", addr, time.Second)
}

func ctx(c context.Context, addr string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(c, "tcp", addr)
}

func local(path string) (net.Conn, error) {
	return net.Dial("unix", path)
}

func packet(addr string) (net.Conn, error) {
	return net.Dial("udp", addr)
}

func timed(addr string) (net.Conn, error) {
	d := &net.Dialer{Timeout: time.Second}
	return d.Dial("tcp", addr)
}

func given(d *net.Dialer, addr string) (net.Conn, error) {
	return d.Dial("tcp", addr)
}

type phone struct{}

func (phone) Dial(string, string) {}

func other(p phone) { p.Dial("tcp", "x") }
